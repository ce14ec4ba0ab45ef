#!/usr/bin/env python3
"""What an inline check costs, and how well it keeps a deadline, through a real ``agentdog serve`` over loopback HTTP.

    python benchmarks/check.py [--calls N] [--json]

Three parts. *Embedded guard*: sequential checks of a pending call, whole runs sent as messages, growing call by call as
an agent's would; from the request to the decoded answer. *Hanging guard*: checks against a model server that accepts
connections and never answers, 16 at a time, deadlines of 50 to 400 ms; overshoot is the caller's wait beyond the
deadline it named. Every hanging check must answer what the caller said (`on_not_evaluated`); others are counted.
*Processor time*: the same checks inside this process, with sessions that are copied (as they are) and without (every
prefix read anew): what one check costs on any load, as a ratio. ``--cpu`` runs this part alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import httpx
import msgspec
from processes import answers, machine, until

from agentdog.base.stats import quantile
from agentdog.guards import GuardSession, Health
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.service.inline import Asked, Checker, PolicyFile
from agentdog.store.contract import Store
from agentdog.trajectory import Header
from tests.support.ports import free_ports

DEADLINES_MS = (50, 100, 200, 400)
CONCURRENCY = 16
WARM_UP = 20


def main() -> int:
    """Runs the three parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--cpu", action="store_true", help="processor time only")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report: dict[str, Any] = {
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d"),
        "processor": asyncio.run(processor(options.calls)),
    }
    if not options.cpu:
        report |= {"embedded": embedded(options.calls), "hanging": hanging(options.calls)}
    if options.json:
        print(json.dumps(report, indent=2))
        return 0
    print(f"{report['machine']}, {report['date']}")
    for row in report["processor"]:
        print(
            f"processor time, runs of {row['steps']} steps: p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms over"
            f" {row['calls']} checks; p50 {row['times_less_p50']} times less than reading every prefix anew"
        )
    if options.cpu:
        return 0
    for row in report["embedded"]:
        print(
            f"embedded guard, runs of {row['steps']} steps: p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms"
            f" over {row['calls']} checks"
        )
    row = report["hanging"]
    print(
        f"hanging guard, {row['calls']} checks, {CONCURRENCY} at a time: overshoot p50 {row['overshoot_p50_ms']} ms,"
        f" p99 {row['overshoot_p99_ms']} ms, longest {row['overshoot_max_ms']} ms; otherwise: {row['otherwise']}"
    )
    return 0


class Anew:
    """The same guard, whose sessions cannot be copied: the baseline."""

    def __init__(self, guard: EmbeddedGuard) -> None:
        self.info = guard.info
        self._guard = guard

    def open(self, header: Header) -> GuardSession:
        """Starts a session that only grows."""
        session = self._guard.open(header)
        return cast("GuardSession", SimpleNamespace(extend=session.extend, verdict=session.verdict))

    async def health(self) -> Health:
        """As the guard's."""
        return await self._guard.health()

    async def close(self) -> None:
        """There is nothing to free."""


async def processor(calls: int) -> list[dict[str, Any]]:
    """Processor time of checks inside this process, in milliseconds."""
    rows = []
    for steps in (4, 12, 40):
        quantiles = {}
        for name, guard in (("copied", EmbeddedGuard()), ("anew", Anew(EmbeddedGuard()))):
            checker = Checker(cast("Store", None), guard, PolicyFile(None))  # messages are sent: nothing is looked up
            times: list[float] = []
            number = 0
            while len(times) < calls // 3 + WARM_UP:
                number += 1
                for messages, action in run(number, steps):
                    body = {"messages": messages, "action": action, "deadline_ms": 60_000, "on_not_evaluated": "deny"}
                    asked = msgspec.convert(body, Asked)
                    began = time.process_time()
                    answer = await checker.check(asked)
                    times.append((time.process_time() - began) * 1000)
                    if answer.by != "guard":
                        raise SystemExit(f"the embedded guard did not answer: {answer}")
            kept = sorted(times[WARM_UP:])
            quantiles[name] = (quantile(kept, 0.5), quantile(kept, 0.99), len(kept))
        (p50, p99, count), (anew, _, _) = quantiles["copied"], quantiles["anew"]
        rows.append(
            {
                "steps": steps,
                "calls": count,
                "p50_ms": round(p50, 2),
                "p99_ms": round(p99, 2),
                "anew_p50_ms": round(anew, 2),
                "times_less_p50": round(anew / p50, 1),
            }
        )
    return rows


def embedded(calls: int) -> list[dict[str, Any]]:
    """Times checks of runs of three lengths."""
    rows = []
    with serve("embedded") as base, httpx.Client(base_url=base, timeout=30) as client:
        for steps in (4, 12, 40):
            times: list[float] = []
            number = 0
            while len(times) < calls // 3:
                number += 1
                for messages, action in run(number, steps):
                    body = {"messages": messages, "action": action, "deadline_ms": 5000, "on_not_evaluated": "deny"}
                    began = time.perf_counter()
                    answer = client.post("/api/v1/check", json=body).json()
                    times.append((time.perf_counter() - began) * 1000)
                    if answer["by"] != "guard":
                        raise SystemExit(f"the embedded guard did not answer: {answer}")
            times = times[WARM_UP:] if len(times) > 2 * WARM_UP else times
            rows.append(
                {
                    "steps": steps,
                    "calls": len(times),
                    "p50_ms": round(quantile(sorted(times), 0.5), 2),
                    "p99_ms": round(quantile(sorted(times), 0.99), 2),
                }
            )
    return rows


def run(number: int, steps: int) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Yields the checks that an agent's run of so many steps asks for: one per call, each over all before it."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"Summarise the {number} tickets and note each."}]
    for turn in range(steps // 2):
        text = f"Ticket {number}-{turn}: order {turn * 7919} of customer{turn}@shop.example is late. " * 6
        action = {"tool": "read_ticket", "arguments": {"id": f"{number}-{turn}"}, "id": f"c{turn}"}
        yield list(messages), action
        call = {"name": action["tool"], "arguments": json.dumps(action["arguments"])}
        messages += [
            {"role": "assistant", "content": "Next.", "tool_calls": [{"id": f"c{turn}", "function": call}]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": text},
        ]


def hanging(calls: int) -> dict[str, Any]:
    """Measures the wait beyond the deadline when the guard never answers."""
    overshoots: list[float] = []
    otherwise = 0

    def one(number: int) -> tuple[float, bool]:
        deadline = DEADLINES_MS[number % len(DEADLINES_MS)]
        messages, action = next(run(number, 4))
        choice = ("allow", "deny", "review")[number % 3]
        body = {"messages": messages, "action": action, "deadline_ms": deadline, "on_not_evaluated": choice}
        began = time.perf_counter()
        answer = client.post("/api/v1/check", json=body).json()
        over = (time.perf_counter() - began) * 1000 - deadline
        return over, answer["decision"] == choice and answer["by"] == "on_not_evaluated"

    with never_answering() as port, serve(f"server:http://127.0.0.1:{port}/v1?model=m") as base:
        limits = httpx.Limits(max_connections=CONCURRENCY)
        with httpx.Client(base_url=base, timeout=30, limits=limits) as client, ThreadPoolExecutor(CONCURRENCY) as pool:
            for over, as_said in pool.map(one, range(calls)):
                overshoots.append(over)
                otherwise += not as_said
    return {
        "calls": calls,
        "overshoot_p50_ms": round(quantile(sorted(overshoots), 0.5), 2),
        "overshoot_p99_ms": round(quantile(sorted(overshoots), 0.99), 2),
        "overshoot_max_ms": round(max(overshoots), 2),
        "otherwise": otherwise,
    }


@contextmanager
def never_answering() -> Iterator[int]:
    """A server that accepts and says nothing."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:

        def accept() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        for connection in kept:
            connection.close()


@contextmanager
def serve(guard: str) -> Iterator[str]:
    """``agentdog serve`` as a person starts it, on a folder and ports of its own."""
    ports = dict(zip(("API", "OTLP_HTTP", "OTLP_GRPC"), map(str, free_ports(3)), strict=True))
    with tempfile.TemporaryDirectory(prefix="ad-") as folder:
        environment = os.environ | {f"AGENTDOG_{name}__PORT": port for name, port in ports.items()}
        environment |= {"AGENTDOG_DATA": folder, "AGENTDOG_GUARD__URI": guard, "AGENTDOG_LOG_LEVEL": "error"}
        process = subprocess.Popen([sys.executable, "-m", "agentdog", "serve"], env=environment)
        base = f"http://127.0.0.1:{ports['API']}"
        try:
            until("agentdog serve is ready", lambda: answers(f"{base}/readyz"), 60, 0.1)
            yield base
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    sys.exit(main())
