"""Bearer tokens at rest, and the log of who read or reviewed what.

A token reads ``agd_ID_SECRET``: the id finds it, the secret (256 random bits) is kept as its SHA-256 only. That many
bits cannot be guessed, so a slow hash would protect nothing and cost every request. Invariant: no secret is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from agentdog.base.clock import Clock, rfc3339
from agentdog.store import keys
from agentdog.store.link import Link

Role = Literal["ingest", "read", "review", "admin"]
_FORM = re.compile(r"agd_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_ENTRIES_KEPT = 100_000


class Token(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A token as it is stored: what it may do, in which projects (none named: all), until when (RFC 3339)."""

    id: str
    name: str
    role: Role
    projects: tuple[str, ...] = ()
    created: str
    expires: str | None = None
    sha256: str = ""


class AuditEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Somebody read content, reviewed or deleted: who (token's id and name), what, where from, when (RFC 3339)."""

    time: str
    who: str
    name: str
    action: str
    project: str | None = None
    subject: str | None = None
    address: str | None = None


def split(text: str) -> tuple[str, str] | None:
    """Returns a token's id and secret; ``None`` for what is no token of ours."""
    read = _FORM.fullmatch(text)
    return (read[1], read[2]) if read else None


def hashed(secret: str) -> str:
    """Returns what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(token: Token, secret: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(token.sha256, hashed(secret))


class Tokens:
    """Makes, lists and revokes tokens."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock

    async def add(self, name: str, role: Role, projects: Sequence[str], expires: str | None) -> tuple[Token, str]:
        """Makes a token and returns it with its text, which cannot be had again."""
        identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        token = Token(
            id=identity,
            name=name,
            role=role,
            projects=tuple(sorted(set(projects))),
            created=rfc3339(self._clock.now_ns()),
            expires=expires,
            sha256=hashed(secret),
        )
        await self._link.one("HSET", keys.TOKENS, identity, msgspec.json.encode(token))
        return token, f"agd_{identity}_{secret}"

    async def all(self) -> Mapping[str, Token]:
        """Returns every token by its id."""
        flat = await self._link.one("HGETALL", keys.TOKENS)
        return {
            name.decode(): msgspec.json.decode(raw, type=Token) for name, raw in zip(flat[::2], flat[1::2], strict=True)
        }

    async def one(self, identity: str) -> Token | None:
        """Returns the token with this id."""
        raw = await self._link.one("HGET", keys.TOKENS, identity)
        return msgspec.json.decode(raw, type=Token) if raw else None

    async def revoke(self, identity: str) -> bool:
        """Removes a token; False when there is none of that id."""
        return bool(await self._link.one("HDEL", keys.TOKENS, identity))


class AuditLog:
    """Who read content, reviewed or deleted: one capped stream, newest first when read."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock

    async def record(self, entry: AuditEntry) -> None:
        """Appends an entry; its time is the store's."""
        entry = msgspec.structs.replace(entry, time=rfc3339(self._clock.now_ns()))
        await self._link.one("XADD", keys.AUDIT, "MAXLEN", "~", _ENTRIES_KEPT, "*", "entry", msgspec.json.encode(entry))

    async def newest(self, limit: int) -> Sequence[AuditEntry]:
        """Returns the newest entries."""
        found = await self._link.one("XREVRANGE", keys.AUDIT, "+", "-", "COUNT", limit)
        return tuple(msgspec.json.decode(fields[1], type=AuditEntry) for _, fields in found)
