"""Takes the pictures of the debugger: ``python -m tests.e2e.screenshot [FOLDER]``.

They show the demo's injected run as ``agentdog up`` took it in, wove it and judged it: `debugger.png` from its header
to the steps, as in the README, and `why.png` with what moved the verdict, as a worker computed it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from agentdog.client import Client
from agentdog.demo.runs import run_all
from agentdog.demo.watch import judged
from agentdog.service.settings import load_settings
from tests.conftest import listen_anywhere
from tests.e2e.browser import chromium, launch, opened
from tests.support.tree import SECONDS, ready, up
from tests.support.waiting import until

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDTH, HEIGHT, MARGIN = 1320, 1130, 10


def take(browser: Browser, dashboard_url: str, path: Path, run: str) -> Path:
    """Photographs a run with an incident, from its header to the steps."""
    with _shown(browser, dashboard_url, run) as page:
        page.screenshot(path=path, animations="disabled", caret="hide")
    return path


def take_why(browser: Browser, dashboard_url: str, path: Path, run: str) -> Path:
    """Asks what moved the verdict, and photographs the answer."""
    with _shown(browser, dashboard_url, run) as page:
        page.get_by_role("button", name="What moved the verdict?").click()
        answer = page.get_by_label("What moved the verdict?")
        answer.locator(".heat").first.wait_for()
        answer.scroll_into_view_if_needed()
        box = answer.bounding_box()
        assert box is not None, "it is seen"
        around = {"x": box["x"] - MARGIN, "y": box["y"] - MARGIN}
        around |= {side: box[side] + 2 * MARGIN for side in ("width", "height")}
        page.screenshot(path=path, clip=cast(FloatRect, around), animations="disabled", caret="hide")
    return path


@contextmanager
def _shown(browser: Browser, dashboard_url: str, run: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", device_scale_factor=1.25)
    try:
        opened(page, f"{dashboard_url}/trajectory?id={run}")
        page.get_by_text("It goes wrong here").wait_for()
        page.wait_for_function("document.fonts.status === 'loaded'")
        page.wait_for_function("!document.querySelector('[data-stale=true]')")  # Streamlit pales what it draws anew
        yield page
    finally:
        page.close()


def main() -> None:
    """Starts the sidecar, sends it the demo's runs, takes the pictures, says where they are."""
    if chromium() is None:
        sys.exit("no Chromium is installed: install the system's package `chromium` and try again")
    pictures = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
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
                for name, photograph in (("debugger.png", take), ("why.png", take_why)):
                    path = photograph(browser, settings.ui_url, pictures / name, unsafe)
                    print(path, path.stat().st_size, "bytes")
                browser.close()


if __name__ == "__main__":
    main()
