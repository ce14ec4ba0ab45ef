#!/usr/bin/env python3
"""How busy the engine keeps a guard server, beside plain concurrent load.

    python -m benchmarks.busy [--runs N] [--wide] [--json]

A backlog of runs is judged by a worker over a real vLLM server on the CPU; then a plain load generator asks the very
same questions with as many requests in flight. Both are compared by the prompt tokens that the server took in a second,
in turns, three times each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from agentdog.guards.server import ServerGuard, ServerOptions
from agentdog.service.judging import Judging
from agentdog.service.settings import load_settings
from agentdog.service.stores import connect
from agentdog.service.worker import Worker
from agentdog.store.embedded import EmbeddedServer
from agentdog.trajectory import Trajectory
from benchmarks.every_step import Server, run_of
from tests.support import vllm_server as vllm


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = busy(options.runs, options.wide) | {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_average": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d"),
    }
    print(json.dumps(report, indent=2))
    return 0


def busy(runs: int, wide: bool) -> dict[str, Any]:
    """Compares the engine with plain concurrent load over the same questions."""
    if why := vllm.missing():
        raise SystemExit(why)
    with tempfile.TemporaryDirectory(prefix="ad-") as folder:
        place = Path(folder)
        model = vllm.model(place / "model", "qwen3_wide" if wide else None)
        with vllm.vllm_server(model, place / "log") as running, httpx.Client(timeout=120) as client:
            made = [run_of(Server(running.url, client), 12, seed) for seed in range(runs)]
            return asyncio.run(_busy(running, made, place))


async def _busy(running: Any, runs: Sequence[Trajectory], place: Path) -> dict[str, Any]:  # noqa: ANN401
    rounds: dict[str, list[float]] = {"engine": [], "plain": []}
    questions: list[dict[str, Any]] = []
    for number in range(3):
        uri = f"server:{running.url}?pack=generic&threshold=0.9999999&margin=0&timeout=300&cache_salt=engine{number}"
        guard = ServerGuard.from_uri(uri, environ={})
        await guard.health()
        api: Any = guard.replicas.members[0].api
        asked: list[dict[str, Any]] = []
        chat = api.chat

        async def noting(messages: Any, _chat: Any = chat, _asked: Any = asked, **fields: Any) -> Any:  # noqa: ANN401
            _asked.append({"messages": messages, **fields})
            return await _chat(messages, **fields)

        api.chat = noting
        rounds["engine"].append(await _rate(running, _engine(guard, runs, place / f"data{number}")))
        await guard.close()
        questions = [{**each, "cache_salt": f"plain{number}"} for each in asked]
        rounds["plain"].append(await _rate(running, _plain(running.url, questions)))
    rates = {name: round(statistics.median(found)) for name, found in rounds.items()}
    ratios = [engine / plain for engine, plain in zip(rounds["engine"], rounds["plain"], strict=True)]
    return {
        "questions": len(questions),
        "prompt_tokens_a_second": rates,
        "rounds": {name: [round(each) for each in found] for name, found in rounds.items()},
        "ratio": round(statistics.median(ratios), 3),
    }


async def _rate(running: Any, doing: Any) -> float:  # noqa: ANN401
    """Prompt tokens that the server took, per second."""
    before, began = running.metric("vllm:prompt_tokens_total"), time.perf_counter()
    await doing
    seconds = time.perf_counter() - began
    return float((running.metric("vllm:prompt_tokens_total") - before) / seconds)


async def _engine(guard: Any, runs: Sequence[Trajectory], data: Path) -> None:  # noqa: ANN401
    """A worker over a store in which all runs wait."""
    async with EmbeddedServer(data, fsync="everysec") as server:
        settings = load_settings(data=data, redis={"url": server.url}, judge={"observations": "all", "quiet_s": 0})
        store, stop = connect(settings, server.url), asyncio.Event()
        for number, run in enumerate(runs):
            named = Trajectory(
                id=f"run-{number}", digest="d", project="p", agents=run.agents, completion="final", missing=(),
                scopes=(), steps=run.steps,
            )  # fmt: skip
            await store.save_trajectory(named, [])
        worker = Worker(store, Judging(store, guard, settings), settings, name="w")
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run(stop))
            while (await store.projects()).get("p", {}).get("safe", 0) < len(runs):  # noqa: ASYNC110 - the store counts
                await asyncio.sleep(0.1)
            stop.set()
        await store.close()


async def _plain(url: str, questions: Sequence[dict[str, Any]]) -> None:
    """As many requests in flight as the guard has, one after the other."""
    waiting = iter(questions)

    async def ask(client: httpx.AsyncClient) -> None:
        for body in waiting:
            (await client.post(f"{url}/chat/completions", json=body)).raise_for_status()

    async with httpx.AsyncClient(timeout=300) as client, asyncio.TaskGroup() as group:
        for _ in range(ServerOptions().concurrency):
            group.create_task(ask(client))


if __name__ == "__main__":
    sys.exit(main())
