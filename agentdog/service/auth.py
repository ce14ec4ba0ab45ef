"""Who may do what: bearer tokens with roles and projects, checked alike on every port.

Roles: ``ingest`` may send telemetry, ``read`` may look, ``review`` may look and judge, ``admin`` may do all.
Invariants: with authentication on, nothing but health and readiness answers without a token; a token that is scoped to
projects neither sees nor writes any other. A token is read from the store at most every `_FRESH_S` seconds, so one that
was revoked stops working that soon; a store that is away refuses everybody (503), and lets nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Literal, Protocol

import msgspec

from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.base.errors import OutsideError, UsageError
from agentdog.service.settings import PREFIX, Listen, Settings
from agentdog.store.tokens import Role, Token, matches, split

Right = Literal["ingest", "read", "review", "admin"]

RIGHTS: Mapping[Role, frozenset[Right]] = {
    "ingest": frozenset({"ingest"}),
    "read": frozenset({"read"}),
    "review": frozenset({"read", "review"}),
    "admin": frozenset({"ingest", "read", "review", "admin"}),
}
_FRESH_S = 3.0


class Unauthenticated(UsageError):  # noqa: N818 - a state of the request, like its siblings
    """No token, or none that is known (HTTP 401, gRPC UNAUTHENTICATED)."""


class Forbidden(UsageError):  # noqa: N818
    """The token has not the right, or not for this project (HTTP 403, gRPC PERMISSION_DENIED)."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may do: its token's id and name, its rights, and its projects (``None``: all)."""

    who: str
    name: str
    rights: frozenset[Right]
    projects: frozenset[str] | None = None

    def need(self, right: Right) -> None:
        """Raises `Forbidden` without this right."""
        if right not in self.rights:
            raise Forbidden(f"this token may not {_WORDS[right]}: ask for one with the role {right!r} or 'admin'")

    def may_see(self, project: str) -> bool:
        """Whether a project is within the token's scope."""
        return self.projects is None or project in self.projects

    def need_project(self, project: str) -> None:
        """Raises `Forbidden` for a project out of scope."""
        if not self.may_see(project):
            raise Forbidden(f"this token is for other projects than {project!r}")

    def within(self, projects: Iterable[str]) -> list[str]:
        """Returns those of some projects that are in scope."""
        return [each for each in projects if self.may_see(each)]


_WORDS: Mapping[Right, str] = {"ingest": "send telemetry", "read": "read", "review": "review", "admin": "administer"}

#: Everybody, where authentication is off.
OPEN = Access(who="anyone", name="authentication is off", rights=RIGHTS["admin"])


_CURRENT: ContextVar[Access] = ContextVar("access", default=OPEN)


def current() -> Access:
    """Returns what the request that is being answered may do; everything outside of one."""
    return _CURRENT.get()


def enter(access: Access) -> None:
    """Says, once per request and in its own context, what it may do."""
    _CURRENT.set(access)


class _Source(Protocol):
    async def token(self, identity: str) -> Token | None: ...


class Authority:
    """Tells from an ``Authorization`` header what a request may do.

    Args:
        source: of tokens, a store.
        required: False lets everybody do everything.
        static: an administrator's token that is set, not stored.
        clock: decides what has expired.
    """

    def __init__(
        self, source: _Source, *, required: bool, static: str | None = None, clock: Clock | None = None
    ) -> None:
        self._source = source
        self.required = required
        self._static = hashlib.sha256(static.encode()).digest() if static else None
        self._clock = clock or SystemClock()
        self._known: dict[str, tuple[Token, float]] = {}

    async def access(self, header: str | None) -> Access:
        """Returns what a request may do.

        Raises:
            Unauthenticated: no token, or none that is good.
            StoreUnavailable: tokens cannot be read just now.
        """
        if not self.required:
            return OPEN
        scheme, _, text = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise Unauthenticated("no token: send `Authorization: Bearer …`; `agentdog tokens add` makes one")
        text = text.strip()
        if self._static is not None and hmac.compare_digest(self._static, hashlib.sha256(text.encode()).digest()):
            return Access(who="setting", name=f"{PREFIX}AUTH__ADMIN_TOKEN", rights=RIGHTS["admin"])
        parts = split(text)
        token = await self._token(parts[0]) if parts else None
        if parts is None or token is None or not matches(token, parts[1]):
            raise Unauthenticated("this token is not known: it was revoked, or never made here")
        if token.expires is not None and token.expires <= rfc3339(self._clock.now_ns()):
            raise Unauthenticated(f"this token ended at {token.expires}")
        projects = frozenset(token.projects) if token.projects else None
        return Access(who=token.id, name=token.name, rights=RIGHTS[token.role], projects=projects)

    async def _token(self, identity: str) -> Token | None:
        known, read_at = self._known.get(identity, (None, 0.0))
        if known is None or time.monotonic() - read_at > _FRESH_S:
            self._known.pop(identity, None)
            known = await self._source.token(identity)
            if known is not None:  # what is not known is asked for each time: it may be made any moment
                self._known[identity] = (known, time.monotonic())
        return known


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(settings: Settings, names: Iterable[str]) -> None:
    """Refuses to listen beyond this machine where nobody is asked who he is, unless that was said on purpose.

    Raises:
        OutsideError: names the listener and the three ways out.
    """
    if settings.auth.mode == "on" or settings.auth.allow_open:
        return
    for name in names:
        listen: Listen = getattr(settings, name)
        if not is_loopback(listen.host):
            raise OutsideError(
                f"{PREFIX}{name.upper()}__HOST={listen.host} would let everybody in: set {PREFIX}AUTH__MODE=on (and "
                f"make tokens with `agentdog tokens add`), listen on 127.0.0.1, or, where something in front "
                f"authenticates, set {PREFIX}AUTH__ALLOW_OPEN=true"
            )
