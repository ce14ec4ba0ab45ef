"""First useful paint of the debugger's pages, beside an empty Streamlit page in the same browser in the same run.

    python -m benchmarks.ui [--trajectories N] [--steps N] [--repeats N] [--phoenix VENV] [--json]

Fills a store with runs and one long run, serves API and dashboard, and opens each page anew in a real Chromium until
what a reader came for is drawn: the first rows of the list, the first steps of the run. Pages take turns. Beside the
seconds stands what the page's main thread used of a processor until then, which other work on the machine changes less.
Then the API alone is asked for pages of the list, filtered and in other orders, near and far from its beginning.

With --phoenix VENV (an environment with ``arize-phoenix``), Phoenix is sent the long run, a span a step, and its page
of that trace takes its turn: painted when the second step's name stands in the tree.
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
from typing import Any, NamedTuple

from playwright.sync_api import Browser, sync_playwright

import dashboard
from agentdog.client import Client
from benchmarks import ui_data, ui_phoenix
from benchmarks.processes import Proc, answers, until
from tests.e2e.browser import DEADLINE_S, chromium, launch, serving_dashboard
from tests.support.live_api import serving_store
from tests.support.ports import free_ports
from tests.support.stores import running_server

EMPTY = 'import streamlit as st\n\nst.markdown("empty")\n'
#: Pages of the list that the API is asked for, by what they are; `far` pages are read by their cursors first.
QUERIES: dict[str, dict[str, Any]] = {
    "newest": {},
    "by P(unsafe)": {"sort": "p_unsafe"},
    "by steps, fewest first": {"sort": "steps", "order": "lowest"},
    "unsafe, by duration": {"verdict": "unsafe", "sort": "duration"},
    "safe, by P(unsafe)": {"verdict": "safe", "sort": "p_unsafe"},
    "unsafe with a rare tool, by P(unsafe)": {"verdict": "unsafe", "tool": "tool-39", "sort": "p_unsafe"},
    "of one agent in an hour, by steps": {
        "agent": "agent-1",
        "since": "2026-09-22T10:00:00Z",
        "until": "2026-09-22T11:00:00Z",
        "sort": "steps",
    },
}
_ROWS, _FAR = 25, 20


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


class Painted(NamedTuple):
    """Seconds until a page was painted, and processor seconds of its main thread until then."""

    seconds: float
    cpu_s: float


def painted(browser: Browser, url: str, wanted: str) -> Painted:
    """Asks for a page, in a visit of its own, and waits until what is wanted is seen."""
    page = browser.new_page(viewport={"width": 1320, "height": 1000})
    try:
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.locator(wanted).first.wait_for(timeout=DEADLINE_S * 1000)
        seconds = time.perf_counter() - began
        used = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
        return Painted(seconds, used["TaskDuration"])
    finally:
        page.close()


def asked(api: str, repeats: int) -> dict[str, dict[str, float]]:
    """Returns milliseconds of the API's answer to each query, median: its first page, and one five hundred rows on."""
    client, told = Client(api, timeout=DEADLINE_S), {}
    for name, query in QUERIES.items():
        cursor: str | None = None
        for _ in range(_FAR):
            cursor = client.trajectories(**query, limit=_ROWS, cursor=cursor).get("next")
            if cursor is None:
                break
        told[name] = {"first_ms": _median_ms(client, query, None, repeats)}
        if cursor is not None:
            told[name]["far_ms"] = _median_ms(client, query, cursor, repeats)
    return told


def _median_ms(client: Client, query: dict[str, Any], cursor: str | None, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        client.trajectories(**query, limit=_ROWS, cursor=cursor)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        began = time.perf_counter()
        asyncio.run(ui_data.fill(server.url, options.trajectories, options.whole, options.steps))
        filled = time.perf_counter() - began
        api = stack.enter_context(serving_store(server.url))
        site = stack.enter_context(serving_dashboard(api))
        pages = {
            "empty page": (stack.enter_context(empty_page(folder)), "[data-testid=stMarkdown]"),
            "list": (f"{site}/trajectories", ".row"),
            "list, unsafe by P": (f"{site}/trajectories?verdict=unsafe&sort=p_unsafe", ".row"),
            "trajectory": (f"{site}/trajectory?id={ui_data.LONG}", ".steps .step"),
        }
        if options.phoenix is not None:
            trace = stack.enter_context(ui_phoenix.serving(options.phoenix, folder, options.steps))
            pages["Phoenix's page"] = (trace, "text=step-2")
        queries = asked(api, options.repeats)
        playwright = stack.enter_context(sync_playwright())
        browser = launch(playwright)
        stack.callback(browser.close)
        for url, wanted in pages.values():  # what only the first visit pays
            painted(browser, url, wanted)
        seen: dict[str, list[Painted]] = {name: [] for name in pages}
        for _ in range(options.repeats):
            for name, (url, wanted) in pages.items():
                seen[name].append(painted(browser, url, wanted))
    sizes = {name: getattr(options, name) for name in ("trajectories", "whole", "steps")}
    return sizes | {
        "filled_s": filled,
        "load": os.getloadavg()[0],
        "seconds": {name: [each.seconds for each in visits] for name, visits in seen.items()},
        "cpu_s": {name: [each.cpu_s for each in visits] for name, visits in seen.items()},
        "api": queries,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trajectories", type=int, default=100_000)
    parser.add_argument("--whole", type=int, default=500, help="of which are stored whole, the others as rows")
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--phoenix", type=Path, help="virtual environment that has arize-phoenix")
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
    base = statistics.median(seconds["empty page"])
    print(
        f"{found['trajectories']:,} trajectories, one of {found['steps']:,} steps; filled in {found['filled_s']:.0f} s;"
        f" load {found['load']:.1f}"
    )
    for name, times in seconds.items():
        middle = statistics.median(times)
        more = "" if name == "empty page" else f", {middle - base:+.2f} s against it ({middle / base:.1f} times)"
        cpu = statistics.median(found["cpu_s"][name])
        said = f"{name:18} median {middle:.2f} s of {len(times)}, {min(times):.2f} to {max(times):.2f}{more}"
        print(f"{said}; main thread {cpu:.2f} s")
    for name, took in found["api"].items():
        print(f"API, {name:38} " + ", ".join(f"{which[:-3]} page {ms:.1f} ms" for which, ms in took.items()))


if __name__ == "__main__":
    main()
