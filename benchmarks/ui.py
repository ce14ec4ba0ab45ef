"""First useful paint of the debugger's pages, beside an empty Streamlit page in the same browser in the same run.

``python benchmarks/ui.py [--trajectories N] [--steps N] [--repeats N] [--json]``

Fills a store with runs and one long run, serves API and dashboard, and opens each page anew in a real Chromium until
what a reader came for is drawn: the first rows of the list, the curve and the first steps of the run. Pages take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, sync_playwright

import dashboard
from agentdog.base.clock import rfc3339
from agentdog.diagnosis.model import StepVerdict
from agentdog.guards import Outcome
from agentdog.trajectory import Step
from benchmarks.processes import Proc, answers, until
from tests.e2e.browser import DEADLINE_S, chromium, launch, serving_dashboard
from tests.support import runs
from tests.support.live_api import serving_store
from tests.support.ports import free_ports
from tests.support.stores import running_server, store_at

EMPTY = 'import streamlit as st\n\nst.markdown("empty")\n'
_AT_ONCE = 64
_SECOND = 1_000_000_000


def long_run(steps: int) -> runs.Sample:
    """A run of that many steps that goes wrong in its middle."""
    sample = runs.injected()
    base = sample.trajectory.steps
    assert sample.diagnosis is not None
    verdicts = {each.index: each.verdict for each in sample.diagnosis.steps}
    made, judged = [], []
    for index in range(steps):
        of = base[index % len(base)]
        step: Step = msgspec.structs.replace(of, id=f"long-{index}", index=index, sources=())
        made.append(step)
        verdict = verdicts.get(of.index)
        if verdict is not None and (index >= steps // 2 or verdict.outcome is Outcome.SAFE):
            judged.append(StepVerdict(step_id=step.id, index=index, verdict=verdict))
    trajectory = msgspec.structs.replace(sample.trajectory, id="run-long", digest="digest-long", steps=tuple(made))
    first = next(each for each in judged if each.verdict.outcome is Outcome.UNSAFE)
    incident = msgspec.structs.replace(
        sample.diagnosis.incidents[0], onset=first.index, onset_step_id=first.step_id, source_step=first.index - 3
    )
    diagnosis = msgspec.structs.replace(
        sample.diagnosis, trajectory_id="run-long", digest="digest-long", steps=tuple(judged), incidents=(incident,)
    )
    return runs.Sample(trajectory=trajectory, diagnosis=diagnosis)


async def fill(url: str, count: int, steps: int) -> None:
    """Puts `count` short runs and the long one into a store."""
    store = store_at(url)
    free = asyncio.Semaphore(_AT_ONCE)
    benign = runs.benign()
    assert benign.diagnosis is not None

    async def one(n: int) -> None:
        run, digest = f"run-{n}", f"digest-{n}"
        made = tuple(
            msgspec.structs.replace(
                step, id=f"{n}-{step.index}", start_time=rfc3339(runs.START_NS + n * _SECOND), end_time=None, sources=()
            )
            for step in benign.trajectory.steps
        )
        trajectory = msgspec.structs.replace(benign.trajectory, id=run, digest=digest, session_id=None, steps=made)
        diagnosis = msgspec.structs.replace(benign.diagnosis, trajectory_id=run, digest=digest)
        async with free:
            await runs.put(store, runs.Sample(trajectory=trajectory, diagnosis=diagnosis))

    try:
        for begin in range(0, count, 1000):
            await asyncio.gather(*(one(n) for n in range(begin, min(begin + 1000, count))))
        await runs.put(store, long_run(steps))
    finally:
        await store.close()


@contextmanager
def empty_page(folder: Path) -> Iterator[str]:
    """Serves a page that says one word, with the dashboard's own flags."""
    script = folder / "empty.py"
    script.write_text(EMPTY, "utf-8")
    (port,) = free_ports(1)
    command = [str(script) if part == str(dashboard.ENTRANCE) else part for part in dashboard.command(port=port)]
    process = Proc("empty", command, os.environ, folder)
    try:
        base = f"http://127.0.0.1:{port}"
        until("the empty page", lambda: answers(f"{base}/_stcore/health"))
        yield base
    finally:
        process.end()


def painted(browser: Browser, url: str, wanted: str) -> float:
    """Seconds from asking for a page, in a visit of its own, until what is wanted is seen."""
    page = browser.new_page(viewport={"width": 1320, "height": 1000})
    try:
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.locator(wanted).first.wait_for(timeout=DEADLINE_S * 1000)
        return time.perf_counter() - began
    finally:
        page.close()


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        began = time.perf_counter()
        asyncio.run(fill(server.url, options.trajectories, options.steps))
        filled = time.perf_counter() - began
        api = stack.enter_context(serving_store(server.url))
        site = stack.enter_context(serving_dashboard(api))
        empty = stack.enter_context(empty_page(folder))
        pages = {
            "empty page": (empty, "[data-testid=stMarkdown]"),
            "list": (f"{site}/trajectories", ".row"),
            "trajectory": (f"{site}/trajectory?id=run-long", ".steps .step"),
        }
        playwright = stack.enter_context(sync_playwright())
        browser = launch(playwright)
        stack.callback(browser.close)
        for url, wanted in pages.values():  # what only the first visit pays
            painted(browser, url, wanted)
        seen: dict[str, list[float]] = {name: [] for name in pages}
        for _ in range(options.repeats):
            for name, (url, wanted) in pages.items():
                seen[name].append(painted(browser, url, wanted))
    return {"trajectories": options.trajectories, "steps": options.steps, "filled_s": filled, "seconds": seen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trajectories", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if chromium() is None:
        raise SystemExit("no Chromium: install the system's package `chromium`")
    with tempfile.TemporaryDirectory(prefix="ad-") as folder:
        found = measure(options, Path(folder))
    if options.json:
        print(json.dumps(found))
        return
    seconds = found["seconds"]
    assert isinstance(seconds, dict)
    base = statistics.median(seconds["empty page"])
    print(f"{options.trajectories:,} trajectories, one of {options.steps:,} steps; filled in {found['filled_s']:.0f} s")
    for name, times in seconds.items():
        middle = statistics.median(times)
        more = (
            ""
            if name == "empty page"
            else f", {middle - base:+.2f} s against the empty page ({middle / base:.1f} times)"
        )
        print(f"{name:12} median {middle:.2f} s of {len(times)}, {min(times):.2f} to {max(times):.2f}{more}")


if __name__ == "__main__":
    main()
