"""The way in: the document and files as Streamlit has them, a policy that keeps out what is not of here."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import inspect
import re
from pathlib import Path

import httpx
import pytest
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp
from streamlit import file_util

from dashboard import nav
from dashboard.door import PAGES, Door

STATIC = Path(file_util.get_static_dir())
STREAMLITS = PlainTextResponse("Streamlit's own answer")


def got(path: str, static: Path | None = None, method: str = "GET", app: ASGIApp = STREAMLITS) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Door(app, static))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


@pytest.mark.parametrize("page", [page for page in PAGES if page != "live"])
def test_every_page_is_answered_with_a_document_that_runs_only_what_is_ours(page: str) -> None:
    answer = got(f"/{page}?id=x")
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    scripts = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy["script-src"]
    assert "BACKEND_BASE_URL" in scripts[0], "said before anything of Streamlit's runs"


def test_the_first_page_by_its_name_is_the_first_page() -> None:
    """Streamlit knows it by the empty name only: by its own it says that there is no such page."""
    assert got("/live").headers["location"] == "./"
    assert got("/live?q=a%20b").headers["location"] == "./?q=a%20b"


def test_the_pages_are_those_of_the_menu() -> None:
    addresses = re.findall(r'url_path="(\w+)"', inspect.getsource(nav))
    assert sorted(["", *addresses]) == sorted(PAGES), "the first page has two addresses"


def test_what_every_page_draws_is_named_in_the_document_and_is_there() -> None:
    named = re.findall(r'<link rel="modulepreload" crossorigin href="\.(/[^"]+)">', got("/").text)
    for part in ("BidiComponent", "Button"):
        assert any(each.startswith(f"/static/js/{part}.") for each in named)
    assert len(named) == len(set(named))
    for each in named:
        answer = got(each)
        assert answer.content == (STATIC / each[1:]).read_bytes()
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["/static/../index.html", "/static/js/no-such.js", "/_stcore/health", "/manifest.json", "/media/x", "/x/live"],
)
def test_everything_else_is_streamlits(path: str) -> None:
    assert got(path).text == "Streamlit's own answer"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_document_that_streamlit_answers_itself_is_under_the_same_policy(method: str) -> None:
    """Any address of one part is a page to it."""
    text = (STATIC / "index.html").read_text("utf-8")
    own = HTMLResponse(text)
    policy = got("/review").headers["content-security-policy"]
    for path in ("/Live", "/index.html", "/no-such-page"):
        answer = got(path, method=method, app=own)
        assert answer.headers["content-security-policy"] == policy
        assert "BACKEND_BASE_URL" not in answer.text, "else as it was"
    for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL):
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert "content-security-policy" not in got("/_stcore/health").headers


def test_only_reading_is_answered() -> None:
    assert got("/live", method="POST").text == "Streamlit's own answer"


@pytest.mark.parametrize("index", [None, "<html>of another kind</html>"])
def test_where_streamlit_is_not_as_expected_it_answers_itself(tmp_path: Path, index: str | None) -> None:
    if index is not None:
        (tmp_path / "index.html").write_text(index, "utf-8")
        (tmp_path / "manifest.json").write_text('{"index.html": {"file": "a.js"}}', "utf-8")
    assert got("/review", tmp_path).text == "Streamlit's own answer"
