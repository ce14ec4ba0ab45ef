"""Saved views of the list: filters under a name, shared by all who may see their project.

Invariant: a name stands once in its project; who saves over somebody else's view says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Literal

import msgspec

from agentdog.store import keys
from agentdog.store.link import Link
from agentdog.store.shapes import DisplayVerdict, Order, Sort

#: Bounds of what one project keeps, so that a menu of them stays one.
MAX_VIEWS = 200
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
_Value = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class Filters(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """What a view shows; the names are those of the list's parameters, and all that are given must match.

    `last_s` is a span of time that ends when somebody looks, in seconds; `since` and `until` are fixed (RFC 3339).
    """

    project: _Value | None = None
    verdict: DisplayVerdict | None = None
    risk_source: _Value | None = None
    failure_mode: _Value | None = None
    real_world_harm: _Value | None = None
    agent: _Value | None = None
    tool: _Value | None = None
    reviewed: Literal["yes", "no"] | None = None
    open: Literal["yes"] | None = None
    last_s: Annotated[int, msgspec.Meta(ge=1)] | None = None
    since: _Value | None = None
    until: _Value | None = None
    sort: Sort | None = None
    order: Order | None = None


class SavedView(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One view: its name, what it shows, who saved it and when (RFC 3339).

    It belongs to the project that it shows; one that shows all projects belongs to those who may see all.
    """

    name: _Name
    filters: Filters
    author: str
    saved: str

    @property
    def project(self) -> str | None:
        """The project that it belongs to; ``None`` is all."""
        return self.filters.project


class SavedViews:
    """Reads and writes views; there are few, so they lie in one hash."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def all(self) -> Sequence[SavedView]:
        """Returns every view, by project and name."""
        raw = await self._link.one("HVALS", keys.SAVED_VIEWS)
        read = (msgspec.json.decode(each, type=SavedView) for each in raw)
        return tuple(sorted(read, key=lambda view: (view.project or "", view.name.casefold(), view.name)))

    async def save(self, view: SavedView, *, replace: bool) -> bool:
        """Keeps a view; False where one of its name is there and `replace` does not say that it may go."""
        field = _field(view.project, view.name)
        command = "HSET" if replace else "HSETNX"
        done = await self._link.one(command, keys.SAVED_VIEWS, field, msgspec.json.encode(view))
        return replace or bool(done)

    async def delete(self, project: str | None, names: Collection[str]) -> int:
        """Removes views of a project by name; returns how many were there."""
        fields = [_field(project, name) for name in names]
        return int(await self._link.one("HDEL", keys.SAVED_VIEWS, *fields)) if fields else 0


def _field(project: str | None, name: str) -> bytes:
    return msgspec.json.encode([project, name])
