"""A day of traffic on a simulated clock: does what is kept, and the memory for it, stay flat under retention?

    python benchmarks/day.py [--hours 24] [--runs 6] [--keep 3] [--json]

A real store, a real weaver and the embedded guard; only the clock is ours. Every ten minutes of that day a few new runs
arrive, are woven and judged, and retention looks. Printed per hour: runs kept, keys, memory of the store, its log on
disk, memory of this process. Exit code 1 when the last quarter of the day uses over a tenth more than the first hours
after runs began to go.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from agentdog.guards.embedded import EmbeddedGuard
from agentdog.service.judging import Judging
from agentdog.service.retention import Retention
from agentdog.service.settings import load_settings
from agentdog.service.worker import Worker
from agentdog.spans.records import Decoded, Span
from agentdog.store.embedded import EmbeddedServer
from agentdog.store.link import Link
from agentdog.store.redis_store import RedisStore

_TICK_S = 600
_HOUR_S = 3600
_START_S = 1_780_000_000
_TURNS = 4
_FLAT = 1.1


class Dial:
    """The clock of that day."""

    def __init__(self) -> None:
        self.now_s = float(_START_S)

    def now_ns(self) -> int:
        """Returns the time of that day."""
        return int(self.now_s * 1e9)


def run_of(number: int, now_ns: int) -> Decoded:
    """A conversation of a few turns whose words occur in no other."""
    history: list[dict[str, Any]] = []
    spans = []
    for turn in range(_TURNS):
        text = " ".join(f"word{number}x{turn}x{each}" for each in range(120))
        history.append({"role": "user", "parts": [{"type": "text", "content": f"Question {number}: {text}"}]})
        answer = {"role": "assistant", "parts": [{"type": "text", "content": f"Answer {number}: {text}"}]}
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.agent.name": f"agent{number % 7}",
            "gen_ai.input.messages": json.dumps(history),
            "gen_ai.output.messages": json.dumps([answer]),
        }
        start = now_ns + turn * 1_000_000
        trace, span = f"{number + 1:032x}", f"{number * _TURNS + turn + 1:016x}"
        spans.append(
            Span(trace_id=trace, span_id=span, name="chat", start_ns=start, end_ns=start + 1000, attributes=attributes)
        )
        history.append(answer)
    return Decoded(records=tuple(spans))


async def day(hours: int, runs: int, keep: float) -> list[dict[str, float]]:
    """Lives through a day; returns one row per hour."""
    dial, rows = Dial(), []
    settings = load_settings(retention={"days": keep / 24})
    with tempfile.TemporaryDirectory(prefix="ad-") as folder:
        async with EmbeddedServer(Path(folder), fsync="everysec") as server:
            link = Link.to(server.url, 10.0)
            store = RedisStore(link, lease_s=60, verdict_ttl_s=86_400, feed_events=1000, clock=dial)
            judge = Judging(store, EmbeddedGuard(), settings, clock=dial)
            worker = Worker(store, judge, settings, name="day", clock=dial, memory=store.memory)
            retention = Retention(store, settings, owner="day", clock=dial)
            for tick in range(hours * _HOUR_S // _TICK_S):
                for each in range(runs):
                    await store.append("day", run_of(tick * runs + each, dial.now_ns()))
                await work_off(store, worker, judge)
                dial.now_s += _TICK_S
                await retention.look()
                if dial.now_s % _HOUR_S == _START_S % _HOUR_S:
                    rows.append(await figures(store, link, Path(folder), len(rows) + 1))
            await store.close()
    return rows


async def work_off(store: RedisStore, worker: Worker, judge: Judging) -> None:
    """Weaves and judges all that waits, one after the other."""
    while work := await store.claim("day", count=16, block_ms=1):
        for each in work:
            await worker.weave(each)
        await store.done(work)
    while work := await store.claim("day", count=16, block_ms=1, lane="judge"):
        for each in work:
            await judge(each)
        await store.done(work)


async def figures(store: RedisStore, link: Link, folder: Path, hour: int) -> dict[str, float]:
    """Measures: runs, keys, MiB of the store, of its log, of this process."""
    said = await store.ping()
    disk, process = sizes(folder)
    return {
        "hour": hour,
        "runs": sum((await store.projects())["day"].values()),
        "keys": int(await link.one("DBSIZE")),
        "store_mib": round(int(said["used_memory"]) / 2**20, 2),
        "log_mib": round(disk / 2**20, 2),
        "process_mib": round(process / 2**20, 1),
    }


def sizes(folder: Path) -> tuple[int, int]:
    """Returns the bytes of the store's log, and those of this process (its peak where there is no /proc)."""
    disk = sum(path.stat().st_size for path in folder.rglob("appendonlydir/*"))
    if sys.platform == "linux":
        return disk, int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    return disk, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def flat(rows: list[dict[str, float]], keep: float) -> dict[str, float]:
    """Returns by how much the last quarter exceeds the hours after the first runs went."""
    settled = [row for row in rows if row["hour"] > keep + 1]
    early, late = settled[: max(len(settled) // 4, 1)], settled[-max(len(settled) // 4, 1) :]
    names = ("runs", "keys", "store_mib", "process_mib")
    return {name: round(max(r[name] for r in late) / (max(r[name] for r in early) or 1), 3) for name in names}


def main() -> int:
    """Runs, prints, and says by its exit code whether it stayed flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--runs", type=int, default=6, help="new runs every ten minutes")
    parser.add_argument("--keep", type=float, default=3.0, help="hours that a run is kept")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    rows = asyncio.run(day(given.hours, given.runs, given.keep))
    growth = flat(rows, given.keep)
    steady = all(value <= _FLAT for value in growth.values())
    if given.json:
        seconds = round(time.monotonic() - began, 1)
        print(json.dumps({"rows": rows, "growth": growth, "flat": steady, "seconds": seconds}))
    else:
        print(*rows[0], sep="\t")
        for row in rows:
            print(*row.values(), sep="\t")
        print(f"late over early: {growth}; {'flat' if steady else 'it grows'} ({time.monotonic() - began:.0f} s)")
    return 0 if steady else 1


if __name__ == "__main__":
    sys.exit(main())
