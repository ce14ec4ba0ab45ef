"""A real Chromium, the system's own, driven by Playwright; and the dashboard served as ``agentdog ui`` serves it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, expect

import dashboard
from dashboard.source import URL_VARIABLE
from tests.support.ports import closed_port

DEADLINE_S = 180.0
expect.set_options(timeout=DEADLINE_S * 1000)  # five seconds otherwise, which a busy machine may take for one page
FLAGS = [
    "--headless",
    "--no-sandbox",  # the container's user is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Path of the system's Chromium, or nothing."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def launch(playwright: Playwright) -> Browser:
    """Starts the browser; call only where `chromium` finds one."""
    return playwright.chromium.launch(executable_path=chromium(), args=FLAGS)


def opened(page: Page, url: str) -> Page:
    """Goes to a page and waits until a component has drawn."""
    page.goto(url)
    page.locator(".root > *").first.wait_for(timeout=DEADLINE_S * 1000)
    return page


@contextmanager
def serving_dashboard(api_url: str) -> Iterator[str]:
    """Runs the dashboard's process against an API; yields its address."""
    port = closed_port()
    with tempfile.TemporaryDirectory(prefix="ad-ui-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                dashboard.command(port=port),
                env={**os.environ, URL_VARIABLE: api_url},
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,  # nothing of the checkout may be needed to start
            )
        try:
            base = f"http://127.0.0.1:{port}"
            _until_healthy(base, process, log)
            yield base
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


def _until_healthy(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(f"{base}/_stcore/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            alive = process.poll() is None and time.monotonic() < deadline
            assert alive, f"the dashboard did not start:\n{log.read_text('utf-8', 'replace')}"
            time.sleep(0.1)
