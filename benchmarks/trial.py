"""Whether the debugger names the right step of runs that it was not built with, and after how many seconds.

``python -m benchmarks.trial CAPTURES [--more] [--json] [--pictures FOLDER]``

CAPTURES holds recordings of frameworks, each with a benign run and one that obeys an e-mail. They are sent to a sidecar
of its own; then a real Chromium opens the list, filtered by the project and *Unsafe*, clicks the first run, and waits
for the step that is said to go wrong. Beside it: the step that does go wrong by the recording's own account.

With ``--more``: six other recordings, each looked for from *Live* by clicks alone: among the newest incidents, else in
the list, else in the list filtered by its project.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from agentdog.client import Client
from agentdog.service.intake import PROJECT_HEADER
from agentdog.service.settings import Settings, load_settings
from tests.conftest import listen_anywhere
from tests.e2e.browser import launch
from tests.support.tree import ready, up
from tests.support.waiting import PATIENCE_S, until

#: Frameworks of which no recording stands in the tests of the pages.
UNSEEN = (
    "agent-framework-native",
    "semantic-kernel-native",
    "crewai-openinference",
    "google-adk-native",
    "llama-index-openinference",
    "smolagents-openinference",
)
#: Six more, looked for from the first page.
MORE = (
    "strands-native",
    "dspy-openinference",
    "haystack-openinference",
    "claude-code-logs",
    "codex-logs",
    "openai-agents-genai",
)
BENIGN, INJECTED = "A", "B"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("captures", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each page")
    parser.add_argument("--more", action="store_true", help="six other recordings, from the first page by clicks")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = MORE if options.more else UNSEEN
    with tempfile.TemporaryDirectory(prefix="ad-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(data=Path(folder) / "data", **listen_anywhere())
        with up(settings):
            until(lambda: ready(settings), "the sidecar is ready")
            client = Client(settings.api_url, timeout=PATIENCE_S)
            for name in names:
                _send(settings, name, options.captures / name)
            until(lambda: _settled(client, names), "every run is judged")
            with sync_playwright() as playwright:
                browser = launch(playwright)
                found = [_looked_at(browser, settings.ui_url, name, options) for name in names]
                browser.close()
            listed = client.trajectories(limit=100)["items"]
    flagged = [run["project"] for run in listed if run["verdict"] == "unsafe"]
    wrong = sorted(name for name in names if flagged.count(name) != 1)
    told = {"pages": found, "projects with other than one unsafe run": wrong}
    if options.json:
        print(json.dumps(told))
        return 0
    for each in found:
        after = f"after {each['seconds']} s, {each['clicks']} clicks"
        print(f"{each['framework']:28} step {each['said']} (recording: {each['step']}) {after}")
    print(f"{sum(each['said'] == each['step'] for each in found)} of {len(found)} right; others flagged in: {wrong}")
    return 0


def _run(folder: Path, scene: str) -> Path:
    return next(each for each in sorted(folder.iterdir()) if each.name.startswith(scene))


def _send(settings: Settings, project: str, folder: Path) -> None:
    headers = {"content-type": "application/x-protobuf", PROJECT_HEADER: project}
    for scene in (BENIGN, INJECTED):
        for body in sorted(_run(folder, scene).glob("*.pb")):
            signal = "logs" if "logs" in body.stem else "traces"
            url = f"{settings.otlp_endpoint}/v1/{signal}"
            httpx.post(url, content=body.read_bytes(), headers=headers, timeout=PATIENCE_S).raise_for_status()


def _settled(client: Client, names: Sequence[str]) -> bool:
    runs = client.trajectories(limit=100)["items"]
    return {run["project"] for run in runs} == set(names) and all(run["verdict"] != "pending" for run in runs)


def _looked_at(browser: Browser, site: str, name: str, options: argparse.Namespace) -> dict[str, Any]:
    pictures: Path | None = options.pictures
    expected = json.loads((_run(options.captures / name, INJECTED) / "expected.json").read_text("utf-8"))
    called = [step for step, own in enumerate(expected["steps"], 1) if own.get("tool_calls")]
    step = called[1]  # the first reads the message, the second does what stands in it
    page = browser.new_page(viewport={"width": 1320, "height": 1000})
    page.set_default_timeout(PATIENCE_S * 1000)
    began = time.monotonic()
    if options.more:
        clicks = _found_from_live(page, site, name)
    else:
        page.goto(f"{site}/trajectories?project={name}&verdict=unsafe")
        page.locator(".row").first.click()
        clicks = 1
    card = page.locator("[aria-label^='Step ']", has_text="It goes wrong here").first
    card.wait_for()
    seconds = time.monotonic() - began
    said = int(str(card.get_attribute("aria-label")).removeprefix("Step "))
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=pictures / f"{name}.png")
    page.close()
    return {"framework": name, "step": step, "said": said, "seconds": round(seconds, 1), "clicks": clicks}


def _found_from_live(page: Page, site: str, name: str) -> int:
    """Clicks from the first page to the run; returns how many clicks that took."""
    page.goto(site)
    row = page.locator(".row.unsafe", has_text=name).first
    page.locator(".row").first.wait_for()
    clicks = 1
    if not row.count():
        page.get_by_role("link", name="Trajectories", exact=True).first.click()
        page.get_by_role("button", name="Filters").wait_for()
        page.locator(".choosing .row").first.wait_for()
        clicks += 1
    if not row.count():
        page.get_by_role("button", name="Filters").click()
        page.get_by_role("combobox", name="Project").click()
        page.get_by_role("option", name=name, exact=True).click()
        page.keyboard.press("Escape")
        clicks += 3
    row.click()
    return clicks


if __name__ == "__main__":
    raise SystemExit(main())
