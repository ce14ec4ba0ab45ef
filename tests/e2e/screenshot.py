"""Takes the README's picture of the debugger: ``python -m tests.e2e.screenshot [PATH]``.

The picture shows the demo's injected run as ``agentdog up`` took it in, wove it and judged it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from agentdog.client import Client
from agentdog.demo.runs import run_all
from agentdog.demo.watch import judged
from agentdog.service.settings import load_settings
from tests.conftest import listen_anywhere
from tests.e2e.browser import chromium, launch, opened
from tests.support.tree import SECONDS, ready, up
from tests.support.waiting import until

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "debugger.png"
WIDTH, HEIGHT = 1320, 1130


def take(browser: Browser, dashboard_url: str, path: Path, run: str) -> Path:
    """Photographs a run with an incident, from its header to the steps."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", device_scale_factor=1.25)
    try:
        opened(page, f"{dashboard_url}/trajectory?id={run}")
        page.get_by_text("It goes wrong here").wait_for()
        page.wait_for_function("document.fonts.status === 'loaded'")
        path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=path, animations="disabled", caret="hide")
    finally:
        page.close()
    return path


def main() -> None:
    """Starts the sidecar, sends it the demo's runs, takes the picture, says where it is."""
    if chromium() is None:
        sys.exit("no Chromium is installed: install the system's package `chromium` and try again")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    with tempfile.TemporaryDirectory(prefix="ad-", ignore_cleanup_errors=True) as folder:  # the store ends on its own
        settings = load_settings(data=Path(folder) / "data", **listen_anywhere())
        with up(settings):
            until(lambda: ready(settings))
            found = asyncio.run(
                judged(Client(settings.api_url, timeout=SECONDS), run_all(settings.otlp_endpoint), SECONDS)
            )
            unsafe = next(stored["summary"]["id"] for stored in found if stored["summary"]["verdict"] == "unsafe")
            with sync_playwright() as playwright:
                browser = launch(playwright)
                print(take(browser, settings.ui_url, path, unsafe), path.stat().st_size, "bytes")
                browser.close()


if __name__ == "__main__":
    main()
