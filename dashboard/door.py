"""The way in: the document and Streamlit's own files, there sooner, and closed to everything from elsewhere.

A fresh visit is spent fetching some hundred small files, so they are answered from memory, and those that every page
needs are named in the document, as the browser would else ask for them only when the first element has come. The
document also says where the server is, which the browser would else find out by asking below each page's own path.

Invariants: what is served is Streamlit's files and its document with a head of ours, nothing else; a content security
policy keeps the browser from running, fetching or embedding anything of another origin. Where Streamlit is not as it
was when this was written, or serves below a path of its own, it answers itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import file_util

#: Addresses of the pages; the first is the first page's, which has two.
PAGES = (
    "",
    "live",
    "trajectories",
    "trajectory",
    "review",
    "patterns",
    "guards",
    "ingest",
    "playground",
    "evaluations",
)
#: The first page's own name; Streamlit knows it by the empty one only, and says elsewhere that there is no such page.
_FIRST = "/live"
#: What every page draws at once, by the sources' names in Streamlit's manifest.
_DRAWN = ("BidiComponent/BidiComponent.tsx", "Button/Button.tsx")
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_STYLE = Path(__file__).with_name("frame.css")
_YEAR_S = 31_536_000
#: Says where the server is, also behind a proxy's path: what is before the page's own name.
_PLACE = """window.__streamlit = {
  BACKEND_BASE_URL: location.origin + location.pathname.replace(/(^|\\/)(%s)\\/*$/, "$1"),
  HOST_CONFIG: { allowedOrigins: [], useExternalAuthToken: false },
};"""


class Door:
    """Answers for the document and for files; all else is Streamlit's, a document under the same policy."""

    def __init__(self, app: ASGIApp, static: Path | None = None) -> None:
        self._app = app
        self._static = static or Path(file_util.get_static_dir())
        self._files = {f"/{path.relative_to(self._static).as_posix()}": path for path in _under(self._static)}
        self._document = _document(self._static)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        asked = scope["type"] == "http" and scope["method"] == "GET"
        response = self._response(scope["path"], scope["query_string"].decode("ascii", "replace")) if asked else None
        if response is not None:
            await response(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            # Streamlit answers any address of one part with its document, which would work, and could be framed.
            if message["type"] == "http.response.start" and self._document is not None:
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.update(_headers(self._document[1]))
            await send(message)

        await self._app(scope, receive, guarded)

    def _response(self, path: str, query: str) -> Response | None:
        if path == _FIRST:
            return RedirectResponse(f"./?{query}" if query else "./")
        if path[1:] in PAGES and self._document is not None:
            content, policy = self._document
            return Response(content, media_type="text/html", headers=_headers(policy) | {"Cache-Control": "no-cache"})
        if path not in self._files:
            return None
        content, kind = _read(self._files[path])
        return Response(content, media_type=kind, headers={"Cache-Control": f"public, immutable, max-age={_YEAR_S}"})


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def _under(static: Path) -> Iterable[Path]:
    """Files whose names hold their digest."""
    return (path for path in (static / "static").rglob("*") if path.is_file())


@cache
def _read(path: Path) -> tuple[bytes, str]:
    return path.read_bytes(), guess_type(path.name)[0] or "application/octet-stream"


def _document(static: Path) -> tuple[bytes, str] | None:
    """Returns the document and its policy, or nothing where Streamlit's is not as expected."""
    try:
        text = (static / "index.html").read_text("utf-8")
        early = _drawn(json.loads((static / "manifest.json").read_text("utf-8")))
    except (OSError, ValueError, LookupError):
        return None
    if "<head>" not in text:
        return None
    place = _PLACE % "|".join(filter(None, PAGES))
    links = "".join(f'<link rel="modulepreload" crossorigin href="./{each}">' for each in early)
    text = text.replace("<head>", f"<head><script>{place}</script>", 1)
    text = text.replace("</head>", f"{links}<style>{_STYLE.read_text('utf-8')}</style></head>", 1)
    return text.encode(), _policy(_INLINE.findall(text))


def _drawn(manifest: dict[str, Any]) -> list[str]:
    """Returns the files that every page needs beside those that the document names already."""
    named: set[str] = set()
    _closure(manifest, "index.html", named)
    before = set(named)
    for name in manifest:
        if name.endswith(_DRAWN):
            _closure(manifest, name, named)
    return [manifest[name]["file"] for name in sorted(named - before)]


def _closure(manifest: dict[str, Any], name: str, known: set[str]) -> None:
    if name in known:
        return
    known.add(name)
    for each in manifest[name].get("imports", []):
        _closure(manifest, each, known)


def _policy(scripts: Iterable[str]) -> str:
    """Components are modules made of text in the page (``blob:``); React and they write styles into it."""
    hashes = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts)
    rules = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "blob:", *(f"'sha256-{each}'" for each in hashes)]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
