#!/usr/bin/env python3
"""What the engine itself costs: from a step's arrival to its stored verdict.

    python -m benchmarks.overhead [--rate 200] [--seconds 20] [--agents 40] [--find] [--workers 2] [--cores 0,1]
                                  [--server URL]

Agents send one OTLP/HTTP request per step to a real ``agentdog serve`` (GenAI spans, each model call with the whole
history, bundled store, ``appendfsync always``); a worker with a guard that answers at once judges every step, agents'
and tools'. The time runs from the moment a step was due to be sent until the diagnosis that holds its verdict is
stored, so the receiver, the store, weaving and judging are all in it, and what the sender is late by as well. CPU time
of each process per step stands beside it, since other work on the machine changes that less. Linux only.

`--find` goes on to lower rates and back up, and says the highest at which p50 < 20 ms and p99 < 100 ms held: on a slow
or shared machine that says more than latencies under a load that it cannot carry. What a fixed piece of Python takes
is printed as well.

`--server` asks a real guard instead. Then the latency of each step's own verdict is told as well, and the rest of its
time, which is the engine's share: waiting for a slot at the guard counts as the guard's, waiting until an earlier look
at the same run has ended as the engine's. `--cores` holds receiver, worker and store on some cores and leaves the
others to the sender.

How busy the engine keeps a guard server is ``benchmarks.busy``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from agentdog.base.stats import quantile
from agentdog.diagnosis import Diagnosis
from agentdog.guards import Guard
from agentdog.guards.server import ServerGuard
from agentdog.service.judging import Judging
from agentdog.service.process import run, settle_memory, stop_event
from agentdog.service.settings import Settings, load_settings, to_environment
from agentdog.service.stores import open_store
from agentdog.service.worker import Worker
from agentdog.spans.otlp_encode import encode_traces
from agentdog.spans.records import Span
from agentdog.store.contract import Assignment
from agentdog.store.embedded import EmbeddedServer
from agentdog.trajectory import Trajectory
from benchmarks.atbench_overhead import Instant
from benchmarks.processes import cpu_s, descendants, machine, pace_ms
from benchmarks.served import add_arguments, guard_uri
from tests.support.ports import free_ports

STEPS = 40  # of a run; the agent begins another one then
WARM_UP_S = 3.0
P50_MS, P99_MS = 20.0, 100.0  # the goals
SHARES = (0.05, 0.125, 0.25, 0.375, 0.5, 0.75)  # of the rate asked for
Key = tuple[str, int]
TOKENS = "The order of the customer is late and the parcel was seen last in the second depot of the town. "


class Stored(NamedTuple):
    """When a step's verdict was stored, and how long the guard took for it."""

    at: float
    guard_ms: float


def main() -> int:
    """Measures, or is the worker that is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--agents", type=int, default=40)
    parser.add_argument("--find", action="store_true", help="also the highest rate that holds the goals")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="worker processes beside each other")
    parser.add_argument("--cores", type=cores, metavar="N,N", help="the cores that receiver, worker and store may use")
    add_arguments(parser, otherwise="a guard that answers at once is used")
    parser.add_argument("--worker", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.worker:
        run(work(Path(options.worker), options))
        return 0
    measured = latency(options.rate, options)
    found = {"highest_rate_within_goals": highest(measured, options)} if options.find else {}
    report = (
        measured
        | found
        | {
            "python_ms": pace_ms(),
            "cores": sorted(options.cores) if options.cores else None,
            "server": options.server or "a guard that answers at once",
            "in_flight": options.in_flight if options.server else None,
            "machine": machine(),
            "load_average": round(os.getloadavg()[0], 1),
            "date": time.strftime("%Y-%m-%d"),
        }
    )
    print(json.dumps(report, indent=2))
    return 0


def cores(text: str) -> frozenset[int]:
    """Reads a list of cores."""
    found = frozenset(int(part) for part in text.split(","))
    if not found < os.sched_getaffinity(0):
        raise argparse.ArgumentTypeError(f"expected some of the cores {sorted(os.sched_getaffinity(0))}, not all")
    return found


def highest(asked: dict[str, Any], options: argparse.Namespace) -> dict[str, Any] | None:
    """The highest of some rates below the one asked for that holds the goals, ascending to the first that does not."""
    if _within(asked):
        return asked
    found = None
    for share in SHARES:
        measured = latency(options.rate * share, options)
        if not _within(measured):
            break
        found = measured
    return found


def _within(measured: dict[str, Any]) -> bool:
    return not measured["missing"] and measured["p50_ms"] < P50_MS and measured["p99_ms"] < P99_MS


def latency(rate: float, options: argparse.Namespace) -> dict[str, Any]:
    """Sends steps at a rate and reads when their verdicts were stored."""
    with tempfile.TemporaryDirectory(prefix="ad-") as folder:
        return asyncio.run(_latency(rate, options, Path(folder)))


async def _latency(rate: float, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    names = ("otlp_grpc", "otlp_http", "api", "ui")
    ports = {name: {"port": port} for name, port in zip(names, free_ports(len(names)), strict=True)}
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, options.cores or everywhere)  # what is begun from here on inherits it
    async with EmbeddedServer(folder / "data", fsync="always") as server:
        settings = load_settings(
            data=folder / "data", redis={"url": server.url}, judge={"observations": "all"}, log_level="warning",
            worker={"judging": max(16, options.in_flight)}, **ports,
        )  # fmt: skip
        environment = {**os.environ, **to_environment(settings)}
        asked = ["--server", options.server, "--in-flight", str(options.in_flight)] if options.server else []
        serve = ["agentdog", "serve", "--tethered"]
        records = [folder / f"stored{number}.jsonl" for number in range(options.workers)]
        workers = [["benchmarks.overhead", "--worker", str(record), *asked] for record in records]
        started = [_started([sys.executable, "-m", *words], environment) for words in (serve, *workers)]
        pids = [each.pid for each in started]
        processes = {"serve": pids[:1], "worker": pids[1:], "store": [_pid_of_store()]}
        os.sched_setaffinity(0, everywhere - (options.cores or frozenset()))
        try:
            await _ready(settings, records)
            before = _spent(processes)
            sent = await _send(settings, rate, options.seconds, options.agents)
            await _settled(records, len(sent))
            spent = {name: now - before[name] for name, now in _spent(processes).items()}
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait()
    return _told(sent, _stored(records), spent)


def _spent(processes: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """CPU seconds by now."""
    return {name: sum(cpu_s(pid) for pid in pids) for name, pids in processes.items()}


def _told(sent: dict[Key, float], stored: dict[Key, Stored], spent: dict[str, float]) -> dict[str, Any]:
    first, span = min(sent.values()) + WARM_UP_S, max(sent.values()) - min(sent.values())
    measured = [(stored[key], at) for key, at in sent.items() if key in stored and at >= first]
    times = [(found.at - due) * 1000 for found, due in measured]
    guard = [found.guard_ms for found, _ in measured]
    return {
        "steps": len(sent),
        "steps_a_second": round(len(sent) / span, 1),
        "measured": len(times),
        "missing": sum(key not in stored for key in sent),
        **_quantiles(times),
        "guard": _quantiles(guard),
        "engine": _quantiles([time - asked for time, asked in zip(times, guard, strict=True)]),
        "cpu_ms_per_step": {name: round(s * 1000 / len(sent), 2) for name, s in spent.items()},
    }


def _quantiles(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
    return {name: round(quantile(ordered, share), 1) for name, share in shares.items()} | {
        "max_ms": round(ordered[-1], 1)
    }


def _started(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)  # a tether: it ends with this process


async def _send(settings: Settings, rate: float, seconds: float, agents: int) -> dict[Key, float]:
    """Sends steps on time; returns when each was due, by trace and index of the step."""
    sent: dict[Key, float] = {}
    limits = httpx.Limits(max_connections=agents)
    async with httpx.AsyncClient(limits=limits, timeout=30) as client, asyncio.TaskGroup() as group:
        begin = time.time() + 0.2
        for number in range(agents):
            group.create_task(_agent(client, settings.otlp_endpoint, number, agents, rate, begin, seconds, sent))
    return sent


async def _agent(
    client: httpx.AsyncClient, url: str, number: int, agents: int, rate: float, begin: float, seconds: float,
    sent: dict[Key, float],
) -> None:  # fmt: skip
    every = agents / rate
    due, turn = begin + every * number / agents, 0
    history: list[dict[str, Any]] = []
    trace = ""
    while due < begin + seconds:
        if turn % STEPS == 0:
            trace, history = os.urandom(16).hex(), [_message("user", f"Task {number}-{turn}: {TOKENS * 2}")]
        await asyncio.sleep(max(due - time.time(), 0))
        span, step = _span(trace, history, turn % STEPS, due)
        sent[trace, step] = due
        body = encode_traces([span])
        (
            await client.post(f"{url}/v1/traces", content=body, headers={"Content-Type": "application/x-protobuf"})
        ).raise_for_status()
        due, turn = due + every, turn + 1


def _span(trace: str, history: list[dict[str, Any]], turn: int, now: float) -> tuple[Span, int]:
    """The span of a model call, then of its tool's answer, and so on; and the index of the step that it tells."""
    ns = int(now * 1e9)
    call, args = f"call-{turn // 2}", {"path": f"orders/{turn}.json"}
    common: dict[str, Any] = {"gen_ai.agent.name": "clerk", "gen_ai.conversation.id": trace}
    made: dict[str, Any] = {"trace_id": trace, "span_id": os.urandom(8).hex(), "start_ns": ns - 1000, "end_ns": ns}
    if turn % 2 == 0:
        answer = {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": call, "name": "read_order", "arguments": args}],
        }
        attributes = {
            **common,
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": json.dumps(history),
            "gen_ai.output.messages": json.dumps([answer]),
        }
        history.append(answer)
        return Span(name="chat", attributes=attributes, **made), turn + 1
    result = f"{turn}: {TOKENS * 3}"
    attributes = {
        **common,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "read_order",
        "gen_ai.tool.call.id": call,
        "gen_ai.tool.call.arguments": json.dumps(args),
        "gen_ai.tool.call.result": result,
    }
    history.append({"role": "tool", "parts": [{"type": "tool_call_response", "id": call, "response": result}]})
    return Span(name="execute_tool read_order", attributes=attributes, **made), turn + 1


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


async def work(record: Path, options: argparse.Namespace) -> None:
    """A worker that writes down when the verdict of each step was stored."""
    settings = load_settings()
    guard: Guard = Instant()
    if options.server:
        uri = f"{guard_uri(options.server, 'generic', options.in_flight)}&cache_salt={os.urandom(8).hex()}"
        guard = ServerGuard.from_uri(uri, environ={})
        await guard.health()
    with stop_event(tethered=True) as stop:
        async with open_store(settings) as store:
            settle_memory()  # as a worker does
            await _watched(store, guard, settings, record, stop)
    await guard.close()


async def _watched(store: Any, guard: Guard, settings: Settings, record: Path, stop: asyncio.Event) -> None:  # noqa: ANN401
    with record.open("w", buffering=1) as out:
        judging = Judging(_Watched(store, out), guard, settings)
        await Worker(store, judging, settings, name=record.stem, memory=store.memory).run(stop)


class _Watched:
    """A store that tells which steps a stored diagnosis newly holds."""

    def __init__(self, store: Any, out: Any) -> None:  # noqa: ANN401
        self._store, self._out = store, out
        self._trajectories: dict[str, Trajectory] = {}
        self._seen: dict[str, set[int]] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._store, name)

    async def assignment(self, project: str, trajectory_id: str) -> Assignment | None:
        """Remembers the run."""
        found: Assignment | None = await self._store.assignment(project, trajectory_id)
        if found is not None:
            self._trajectories[trajectory_id] = found.trajectory
        return found

    async def save_diagnosis(self, project: str, diagnosis: Diagnosis, **options: Any) -> bool:  # noqa: ANN401
        """Tells of what is new once it is stored."""
        saved = bool(await self._store.save_diagnosis(project, diagnosis, **options))
        now, seen = time.time(), self._seen.setdefault(diagnosis.trajectory_id, set())
        given = [(s.index, s.verdict.latency_ms) for s in diagnosis.steps if saved and s.index not in seen]
        if given:
            seen.update(index for index, _ in given)
            trace = self._trajectories[diagnosis.trajectory_id].steps[0].sources[0].partition(":")[0]
            self._out.write(json.dumps([trace, given, now]) + "\n")
        return saved


def _stored(records: Sequence[Path]) -> dict[Key, Stored]:
    """The first time that each step's verdict was stored, by any worker."""
    found: dict[Key, Stored] = {}
    for line in (line for record in records for line in record.read_text().splitlines()):
        trace, given, at = json.loads(line)
        for index, ms in given:
            key, here = (trace, index), Stored(at, ms)
            found[key] = min(found.get(key, here), here)
    return found


async def _settled(records: Sequence[Path], number: int) -> None:
    """Waits until every step has a verdict, or nothing more comes."""
    had, since = -1, time.monotonic()
    while time.monotonic() - since < 15:
        have = len(_stored(records))
        if have >= number:
            return
        if have != had:
            had, since = have, time.monotonic()
        await asyncio.sleep(0.5)


async def _ready(settings: Settings, records: Sequence[Path]) -> None:
    async with httpx.AsyncClient(timeout=2) as client:
        for _ in range(600):
            try:
                answer = await client.get(f"{settings.api_url}/readyz")
                if answer.status_code == httpx.codes.OK and all(r.exists() for r in records):
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit("the sidecar did not start")


def _pid_of_store() -> int:
    """The server below this process: a watchdog stands between the two."""
    names = {pid: Path(f"/proc/{pid}/comm").read_text() for pid in descendants(os.getpid())}
    return next(pid for pid, name in names.items() if "valkey" in name)


if __name__ == "__main__":
    sys.exit(main())
