"""A bad run from end to end: real telemetry into a real sidecar, the debugger in a real browser, as a person goes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from agentdog.client import Client
from agentdog.demo.runs import run_all
from agentdog.demo.watch import judged
from agentdog.service.settings import load_settings
from tests.conftest import listen_anywhere
from tests.e2e.browser import chromium, launch, opened
from tests.support.tree import SECONDS, ready, up
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install the system's package `chromium`"),
]
_PATIENCE_MS = 40_000
CORRECTED = "Malicious User Instruction or Jailbreak"


class _Site(NamedTuple):
    """A sidecar that took the demo's runs in: where its pages are, and its bad and its good run."""

    url: str
    client: Client
    bad: str
    good: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Site]:
    settings = load_settings(data=Path(tmp_path_factory.mktemp("ad")) / "data", **listen_anywhere())
    with up(settings):
        until(lambda: ready(settings))
        client = Client(settings.api_url, timeout=SECONDS)
        found = asyncio.run(judged(client, run_all(settings.otlp_endpoint), SECONDS))
        by_verdict = {each["summary"]["verdict"]: each["summary"]["id"] for each in found}
        yield _Site(settings.ui_url, client, by_verdict["unsafe"], by_verdict["safe"])


@pytest.fixture(scope="module")
def visit(site: _Site) -> Iterator[BrowserContext]:
    del site  # its servers start and stop through asyncio.run, which Playwright's loop would forbid
    with sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(
            viewport={"width": 1320, "height": 1000}, permissions=["clipboard-read", "clipboard-write"]
        )
        context.set_default_timeout(_PATIENCE_MS)
        expect.set_options(timeout=_PATIENCE_MS)
        yield context
        browser.close()


@pytest.fixture
def page(visit: BrowserContext) -> Iterator[Page]:
    wrong: list[str] = []
    fresh = visit.new_page()
    fresh.on("pageerror", lambda error: wrong.append(str(error)))
    yield fresh
    fresh.close()
    assert wrong == []


def test_from_live_to_what_to_change(page: Page, site: _Site) -> None:
    opened(page, site.url)
    page.get_by_role("link", name=re.compile("Please summarise e-mail 43")).first.click()
    incident = page.get_by_label("Incident 1")
    expect(incident).to_contain_text("goes wrong at step 4")
    expect(incident).to_contain_text("came in at step 3")
    for question, label in (("Where", "Indirect Prompt Injection"), ("What", "Privacy & Confidentiality Harm")):
        expect(incident.locator(".axis", has_text=question)).to_contain_text(label)
    expect(incident.locator("blockquote", has_text="collector@evil.example").first).to_be_visible()
    expect(incident.locator(".change-section")).to_contain_text("A check before step 4 would have stopped the call")
    expect(incident.locator(".snippet").first).to_contain_text("decision: deny")
    incident.locator(".snippet").first.get_by_role("button", name="Copy").click()
    assert "decision: deny" in page.evaluate("navigator.clipboard.readText()")


def test_what_moved_the_verdict_is_asked_for_and_a_worker_answers(page: Page, site: _Site) -> None:
    opened(page, f"{site.url}/trajectory?id={site.bad}")
    page.get_by_role("button", name="What moved the verdict?").click()
    answer = page.get_by_label("What moved the verdict?")
    expect(answer.locator("li").first).to_contain_text("step 3")
    expect(answer.locator(".heat")).to_contain_text("forward passwords.txt")
    expect(page.get_by_label("Step 3", exact=True).locator(".heat")).to_contain_text("forward passwords.txt")
    [kept] = site.client.attributions(site.bad)["items"]
    assert kept.get("state") == "done"


def test_a_case_is_there_to_be_downloaded(page: Page, site: _Site) -> None:
    opened(page, f"{site.url}/trajectory?id={site.bad}")
    page.get_by_role("button", name="Save as regression case").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the case").click()
    assert b'"agentdog.regression/1"' in download.value.path().read_bytes()


def test_a_run_that_nobody_flagged_tells_what_detectors_looked_at_and_is_marked(page: Page, site: _Site) -> None:
    opened(page, f"{site.url}/trajectory?id={site.good}")
    row = page.get_by_role("listitem").filter(has=page.get_by_label("Step 4", exact=True))
    row.get_by_role("button", name="What did detectors look at?").click()
    expect(row.get_by_label("What each detector looked at")).to_contain_text("stayed quiet")
    row.get_by_role("button", name="Mark as bad…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Your name").fill("tess")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Incident 1")).to_contain_text("goes wrong at step 4")
    said = site.client.reviews(site.good)["reviews"]
    assert [(each["action"], each["author"], each.get("step")) for each in said] == [("mark", "tess", 3)]
    assert site.client.trajectory(site.good)["summary"]["verdict"] == "unsafe"


def test_a_corrected_label_is_seen_everywhere_and_a_shared_link_leads_there(page: Page, site: _Site) -> None:
    spans = site.client.trajectory(site.bad)["trajectory"]["steps"][3]["sources"]
    span = next(source for source in spans if ":" in source).rpartition(":")[2]
    first = str(site.client.view(span)["focus"] + 1)  # a model's call reads earlier steps as well
    opened(page, site.url)
    box = page.get_by_placeholder("Any id, or words of a request or of evidence")
    box.fill(span)
    box.press("Enter")
    expect(page.get_by_label(f"Step {first}", exact=True)).to_be_in_viewport()
    page.get_by_role("button", name="Correct…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name=re.compile("^Where")).click()
    page.get_by_role("option", name=CORRECTED).click()
    dialog.get_by_role("button", name="Save").click()
    where = page.get_by_label("Incident 1").locator(".axis", has_text="Where")
    expect(where).to_contain_text(CORRECTED)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlsplit(link).query)["step"] == [first]
    opened(page, link)
    expect(where).to_contain_text(CORRECTED)
    expect(page.get_by_label(f"Step {first}", exact=True)).to_be_in_viewport()
    page.reload()
    expect(where).to_contain_text(CORRECTED)
    opened(page, f"{site.url}/trajectories")
    expect(page.locator(".row", has_text="e-mail 43")).to_contain_text(CORRECTED)
