"""Review, Patterns, Evaluations, Guards, Ingest and Playground in a real browser, over a sidecar fed with captures.

With AGENTDOG_PICTURES=FOLDER the pages' pictures are kept there; those in docs/images are made so.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from agentdog.client import Client
from agentdog.demo.runs import run_all
from agentdog.service.settings import load_settings
from tests.conftest import listen_anywhere
from tests.e2e.browser import chromium, launch
from tests.support.chats import write
from tests.support.run_folder import make
from tests.support.tree import ready, up
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install the system's package `chromium`"),
]
CAPTURES = Path(__file__).parents[1] / "data" / "captures"
#: Enough for incidents of more than one kind, and for instrumentations with and without content.
DIALECTS = ("openai-v2*", "langchain-openinference", "pydantic-ai-v6")
WAIT_MS, PATIENCE_S = 60_000, 240.0


class Place(NamedTuple):
    site: str
    client: Client


def _feed(endpoint: str) -> None:
    """Sends recorded requests as their exporters did."""
    with httpx.Client(headers={"content-type": "application/x-protobuf"}, timeout=60) as http:
        for dialect in DIALECTS:
            for body in sorted(CAPTURES.glob(f"{dialect}/*/*.pb")):
                signal = "logs" if "logs" in body.stem else "traces"
                answer = http.post(f"{endpoint}/v1/{signal}", content=body.read_bytes())
                assert answer.is_success, f"{body}: {answer.text}"


def _import(chats: Path, endpoint: str) -> None:
    """Brings transcripts in as a person does."""
    command = [sys.executable, "-m", "agentdog", "import", str(chats), "--project", "operations", "--url", endpoint]
    subprocess.run(command, check=True, capture_output=True)


def _settled(client: Client) -> bool:
    counts = client.projects()["projects"].values()
    return bool(counts) and not any(each.get("pending") for each in counts)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="ad-", ignore_cleanup_errors=True) as folder:
        runs = make(Path(folder))
        listen = listen_anywhere()
        settings = load_settings(data=Path(folder) / "data", **listen | {"ui": {**listen["ui"], "runs": str(runs)}})
        with up(settings):
            until(lambda: ready(settings), "the sidecar is not up", PATIENCE_S)
            client = Client(settings.api_url, timeout=60)
            run_all(settings.otlp_endpoint)
            _feed(settings.otlp_endpoint)
            _import(write(Path(folder) / "chats.jsonl"), settings.otlp_endpoint)
            until(lambda: _settled(client), "not everything is judged", PATIENCE_S)
            yield Place(settings.ui_url, client)


@pytest.fixture(scope="module")
def browser(place: Place) -> Iterator[Browser]:
    del place
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _page(browser: Browser, scheme: str) -> Page:
    page = browser.new_page(
        viewport={"width": 1320, "height": 1130}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.set_default_timeout(WAIT_MS)
    return page


def _picture(page: Page, name: str, scheme: str) -> None:
    """Keeps a picture of what is seen, where somebody asked for pictures."""
    folder = os.environ.get("AGENTDOG_PICTURES")
    if folder:
        page.wait_for_function("document.fonts.status === 'loaded'")
        page.wait_for_timeout(800)
        shown = f"{name}.png" if scheme == "light" else f"{name}-{scheme}.png"
        page.screenshot(path=Path(folder) / shown, animations="disabled", caret="hide")


def _menu(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=WAIT_MS)


def test_every_page_is_reached_from_the_menu_and_shows_what_there_is(
    place: Place, browser: Browser, scheme: str
) -> None:
    page = _page(browser, scheme)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(place.site)
    _menu(page, "Patterns")
    expect(page.locator(".flow .band").first).to_be_attached(timeout=WAIT_MS)
    expect(page.locator(".heat tbody tr").first).to_be_visible()
    _picture(page, "patterns", scheme)
    _menu(page, "Evaluations")
    expect(page.locator(".confusion")).to_be_visible(timeout=2 * WAIT_MS)
    expect(page.locator(".reliability .dot").first).to_be_attached()
    _picture(page, "evaluations", scheme)
    _menu(page, "Guards")
    expect(page.get_by_text("The guard is ready")).to_be_visible(timeout=WAIT_MS)
    _picture(page, "guards", scheme)
    _menu(page, "Ingest")
    expect(page.get_by_text("every record").first).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("tab", name="Instrumentations").click()
    expect(page.locator("tbody tr", has_text="openai").first).to_be_visible(timeout=WAIT_MS)
    page.wait_for_url(re.compile("part=Instrumentations"))
    _picture(page, "ingest", scheme)
    _menu(page, "Playground")
    page.get_by_role("button", name="Try an example").click()
    incident = page.get_by_label("Incident 1")
    expect(incident).to_contain_text("goes wrong at step 4", timeout=WAIT_MS)
    expect(incident).to_contain_text("Indirect Prompt Injection")
    _picture(page, "playground", scheme)
    page.close()
    assert wrong == []


def test_an_incident_is_confirmed_by_a_key_and_taken_back(place: Place, browser: Browser) -> None:
    page = _page(browser, "light")
    run = place.client.trajectories(open="yes", project="default", limit=1)["items"][0]["id"]
    page.goto(f"{place.site}/review?run={run}")
    case = page.get_by_label("Incident under review")
    expect(case).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".step.onset")).to_contain_text("It goes wrong here")
    _picture(page, "review", "light")
    page.keyboard.press("y")
    expect(page.get_by_text("Confirmed: ")).to_be_visible(timeout=WAIT_MS)
    assert [review["action"] for review in place.client.reviews(run)["reviews"]] == ["confirm"]
    page.keyboard.press("u")
    expect(page.get_by_text("Confirmed: ")).to_have_count(0, timeout=WAIT_MS)
    wanted = ["confirm", "reopen"]
    until(lambda: [review["action"] for review in place.client.reviews(run)["reviews"]] == wanted, "it is not said")
    page.close()


def test_a_label_of_the_flow_leads_to_its_runs(place: Place, browser: Browser) -> None:
    page = _page(browser, "light")
    page.goto(f"{place.site}/patterns")
    page.locator(".flow .name.at0").first.click()
    page.wait_for_url(re.compile("trajectories.*verdict=Unsafe|trajectories.*risk_source="))
    expect(page.locator(".row.unsafe").first).to_be_visible(timeout=WAIT_MS)
    page.close()


def test_runs_are_chosen_exported_and_reviewed_together(place: Place, browser: Browser) -> None:
    page = _page(browser, "light")
    page.goto(f"{place.site}/trajectories?project=operations&last=3650d")
    expect(page.get_by_role("button", name="When: Last 3650d")).to_be_visible(timeout=WAIT_MS)
    page.get_by_label("Choose all runs of this page").check()
    page.get_by_role("button", name="None").click()
    expect(page.get_by_text("Choose runs to review")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Export…")).to_be_disabled()
    page.get_by_role("button", name="All that match").click()
    runs = page.locator("li.picked")
    expect(page.get_by_text("11 runs chosen")).to_be_visible(timeout=WAIT_MS)
    count = runs.count()
    assert count > 1
    runs.nth(0).get_by_role("checkbox").uncheck()
    expect(page.get_by_text(f"{count - 1} runs chosen" if count > 2 else "1 run chosen")).to_be_visible(timeout=WAIT_MS)
    _picture(page, "trajectories", "light")
    page.get_by_role("button", name="Export…").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert len(lines) == count - 1
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Review…").click()
    page.get_by_text("Approve: nothing is wrong").click()
    page.get_by_role("button", name=re.compile("Say it of")).click()
    expect(page.get_by_text(re.compile("^Said of"))).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Choose runs to review")).to_be_visible(timeout=WAIT_MS)
    listed = place.client.trajectories(project="operations", reviewed="yes", limit=100)["items"]
    assert len(listed) == count - 1
    page.close()


def test_a_saved_view_brings_its_filters_back(place: Place, browser: Browser) -> None:
    page = _page(browser, "light")
    page.goto(f"{place.site}/trajectories?verdict=unsafe")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_label("Save what is shown as").fill("Everything unsafe")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Everything unsafe")).to_be_visible(timeout=WAIT_MS)
    page.goto(f"{place.site}/trajectories")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_role("button", name="Everything unsafe").click()
    page.wait_for_url(re.compile("verdict=unsafe"))
    expect(page.get_by_role("button", name="Verdict: Unsafe")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Verdict: Unsafe").click()
    page.wait_for_url(re.compile("trajectories$"))
    page.close()
