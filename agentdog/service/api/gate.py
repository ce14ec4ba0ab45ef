"""The door of the API: who is asking, whether the name he asks by is ours, and headers that keep browsers careful.

Invariants: a request that is let in carries its `Access` and has the right that its method and path need, so that a
route that says nothing is closed to those who may not; no answer allows another origin to read it (no CORS); nothing
but health, readiness and the API's own description answers without a token where tokens are asked for. Where they are
not, the API answers by names of this machine only, so that a web page cannot reach it under a name of its own (DNS
rebinding).
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentdog.base.errors import AgentDogError
from agentdog.service.api.audit import Auditor
from agentdog.service.api.errors import Problem, error_response, from_ours
from agentdog.service.auth import OPEN, Access, Authority, Right, current, enter, is_loopback

#: Answered to everybody: whether we live, and how the API is spoken to.
_PUBLIC = frozenset({"/healthz", "/readyz", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: What people say of runs, and what they have judged or explained, is written below these.
_JUDGING = tuple(
    f"/api/v1/{part}" for part in ("reviews", "suppressions", "analyses", "attributions", "playground", "saved-views")
)
_NOTHING = "default-src 'none'; frame-ancestors 'none'"
#: FastAPI's pages about the API fetch their script from there.
_CDN = "https://cdn.jsdelivr.net"
_PAGES = (
    f"default-src 'none'; script-src 'unsafe-inline' {_CDN}; style-src 'unsafe-inline' {_CDN}; img-src data: https:; "
    "connect-src 'self'; worker-src blob:; frame-ancestors 'none'"
)


class Gate:
    """Wraps the API's application.

    Args:
        app: what is behind.
        authority: of tokens.
        auditor: notes who reads what.
        local_only: whether the API listens on loopback.
    """

    def __init__(self, app: ASGIApp, authority: Authority, auditor: Auditor, *, local_only: bool) -> None:
        self._app = app
        self._auditor = auditor
        self._authority = authority
        self._check_host = local_only and not authority.required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request in, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]

        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                pages = path in ("/docs", "/redoc")
                headers.setdefault("Content-Security-Policy", _PAGES if pages else _NOTHING)
            await send(message)

        headers = Headers(scope=scope)
        if self._check_host and not _is_local_name(headers.get("host", "")):
            problem = Problem(
                code="forbidden",
                message="this API answers by names of this machine only",
                remedy="ask for http://127.0.0.1, or switch authentication on (AGENTDOG_AUTH__MODE=on)",
            )
            await error_response(403, problem)(scope, receive, careful)
            return
        if path not in _PUBLIC:
            try:
                access = await self._authority.access(headers.get("authorization"))
                access.need(_right(scope["method"], path))
            except AgentDogError as error:
                await from_ours(error)(scope, receive, careful)
                return
            enter(access)
            client = scope.get("client")
            _VISIT.set((self._auditor, client[0] if client else None))
        await self._app(scope, receive, careful)


def _is_local_name(host: str) -> bool:
    return is_loopback(urlsplit(f"//{host}").hostname or "") if host else True


def _right(method: str, path: str) -> Right:
    """Reading needs ``read``, asking for a decision what sends telemetry, judging what was found ``review``."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return "read"
    if path == "/api/v1/check":
        return "ingest"
    return "review" if path.startswith(_JUDGING) else "admin"


_VISIT: ContextVar[tuple[Auditor, str | None] | None] = ContextVar("visit", default=None)


async def note(action: str, *, project: str | None = None, subject: str | None = None) -> None:
    """Writes what this request does into the audit log; nothing where no `Gate` stands before the application."""
    visit = _VISIT.get()
    if visit is not None:
        auditor, address = visit
        await auditor.note(current(), action, project=project, subject=subject, address=address)


def signed(said: str) -> str:
    """Returns who says something: who is known by a token is who he is; else whom the caller names."""
    access = current()
    return said if access is OPEN else access.name


async def _visitor() -> Access:
    return current()


Visitor = Annotated[Access, Depends(_visitor)]
