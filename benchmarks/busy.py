#!/usr/bin/env python3
"""How busy the engine keeps a guard server, beside plain concurrent load.

    python -m benchmarks.busy [--runs N] [--steps N] [--wide | --server URL] [--in-flight N] [--json]

A backlog of runs is judged by a worker over a real vLLM server; then a plain load generator asks the very same
questions with as many requests in flight. Both are compared by the prompt tokens that the server took in a second, in
turns. Without `--server` the server runs on the CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import httpx

from agentdog.guards.server import ServerGuard
from agentdog.service.judging import Judging
from agentdog.service.settings import load_settings
from agentdog.service.stores import connect
from agentdog.service.worker import Worker
from agentdog.store.embedded import EmbeddedServer
from agentdog.trajectory import Trajectory
from benchmarks.every_step import run_of
from benchmarks.processes import machine
from benchmarks.served import Server, add_arguments, guard_server


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--steps", type=int, default=12, help="of a run (default: 12)")
    parser.add_argument("--turns", type=int, default=3, help="of each of the two (default: 3)")
    parser.add_argument("--wide", action="store_true", help="the larger model, where the server is started here")
    add_arguments(parser)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = busy(options) | {
        "in_flight": options.in_flight,
        "machine": machine(),
        "load_average": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d"),
    }
    print(json.dumps(report, indent=2))
    return 0


def busy(options: argparse.Namespace) -> dict[str, Any]:
    """Compares the engine with plain concurrent load over the same questions."""
    with (
        tempfile.TemporaryDirectory(prefix="ad-") as folder,
        guard_server(options.server, "qwen3_wide" if options.wide else None) as server,
    ):
        made = [run_of(server, options.steps, seed) for seed in range(options.runs)]
        return asyncio.run(_busy(server, made, Path(folder), options))


async def _busy(server: Server, runs: Sequence[Trajectory], place: Path, options: argparse.Namespace) -> dict[str, Any]:
    rounds: dict[str, list[float]] = {"engine": [], "plain": []}
    questions: list[dict[str, Any]] = []
    for number in range(options.turns):
        salt = f"{os.urandom(4).hex()}-{number}"
        uri = f"{server.guard('generic', options.in_flight)}&cache_salt=engine-{salt}"
        guard = ServerGuard.from_uri(uri, environ={})
        await guard.health()
        api: Any = guard.replicas.members[0].api
        asked: list[dict[str, Any]] = []
        chat = api.chat

        async def noting(messages: Any, _chat: Any = chat, _asked: Any = asked, **fields: Any) -> Any:  # noqa: ANN401
            _asked.append({"messages": messages, **fields})
            return await _chat(messages, **fields)

        api.chat = noting
        rounds["engine"].append(await _engine(server, guard, runs, place / f"data{number}"))
        await guard.close()
        questions = [{**each, "cache_salt": f"plain-{salt}"} for each in asked]
        rounds["plain"].append(await _rate(server, _plain(server.url, questions, options.in_flight)))
    rates = {name: round(statistics.median(found)) for name, found in rounds.items()}
    ratios = [engine / plain for engine, plain in zip(rounds["engine"], rounds["plain"], strict=True)]
    return {
        "questions": len(questions),
        "prompt_tokens_a_second": rates,
        "rounds": {name: [round(each) for each in found] for name, found in rounds.items()},
        "ratio": round(statistics.median(ratios), 3),
    }


async def _rate(server: Server, doing: Awaitable[None]) -> float:
    """Prompt tokens that the server took, per second."""
    before, began = server.metric("vllm:prompt_tokens_total"), time.perf_counter()
    await doing
    seconds = time.perf_counter() - began
    return (server.metric("vllm:prompt_tokens_total") - before) / seconds


async def _engine(server: Server, guard: ServerGuard, runs: Sequence[Trajectory], data: Path) -> float:
    """The rate under a worker, over a store in which all runs wait by then."""
    async with EmbeddedServer(data, fsync="everysec") as bundled:
        settings = load_settings(
            data=data,
            redis={"url": bundled.url},
            judge={"observations": "all", "quiet_s": 0},
            worker={"judging": max(16, guard.options.concurrency)},
        )
        store, stop = connect(settings, bundled.url), asyncio.Event()
        for number, run in enumerate(runs):
            named = Trajectory(
                id=f"run-{number}", digest="d", project="p", agents=run.agents, completion="final", missing=(),
                scopes=(), steps=run.steps,
            )  # fmt: skip
            await store.save_trajectory(named, [])
        worker = Worker(store, Judging(store, guard, settings), settings, name="w")

        async def judged() -> None:
            while (await store.projects()).get("p", {}).get("safe", 0) < len(runs):  # noqa: ASYNC110 - the store counts
                await asyncio.sleep(0.1)

        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run(stop))
            rate = await _rate(server, judged())
            stop.set()
        await store.close()
        return rate


async def _plain(url: str, questions: Sequence[dict[str, Any]], in_flight: int) -> None:
    """As many requests in flight as the guard has, one after the other."""
    waiting = iter(questions)
    trusted = ssl.create_default_context()  # once: it takes longer than an answer

    async def ask() -> None:
        async with httpx.AsyncClient(timeout=300, verify=trusted) as client:
            for body in waiting:
                (await client.post(f"{url}/chat/completions", json=body)).raise_for_status()

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(ask())


if __name__ == "__main__":
    sys.exit(main())
