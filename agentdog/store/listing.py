"""The list of trajectories: rows and sorted-set indexes of one project, found by the rarest facet first.

Invariant: a row and the indexes it stands in change in one atomic call, and never go back to an older revision.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from agentdog.base.errors import UsageError
from agentdog.store import keys, scripts
from agentdog.store.contract import DisplayVerdict, Page, Query, Summary
from agentdog.store.link import Command, Link
from agentdog.store.rows import Row, facet, micros
from agentdog.store.tally import Tally

#: Place of a row in the whole list, descending: score, project, id.
_Place = tuple[int, str, str]
_CHUNK, _MANY = 128, 5000
_NO_ROW = b""
_FACETS = ("verdict", "risk_source", "failure_mode", "real_world_harm", "agent", "tool", "reviewed", "open")


class Listing:
    """Writes rows and answers queries."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def row(self, project: str, trajectory_id: str) -> Command:
        """Returns the command that reads a row, for `put`."""
        return ("HGET", keys.rows(project), trajectory_id)

    async def put(
        self,
        project: str,
        trajectory_id: str,
        row: Row | None,
        *,
        read: Sequence[bytes | None] = (),
        then: Sequence[Command] = (),
    ) -> Sequence[Any]:
        """Brings a row up to date unless a later revision is there; ``None`` removes it.

        Args:
            project: of the run.
            trajectory_id: its id.
            row: what is to stand there.
            read: what `row` answered just now, where it was asked.
            then: commands that are sent behind it, perhaps more than once; their answers are returned.
        """
        while True:
            raw = (read[0] if read else await self._link.one(*self.row(project, trajectory_id))) or _NO_ROW
            old = msgspec.json.decode(raw, type=Row) if raw else None
            if old is not None and row is not None and old.rev >= row.rev:
                return await self._link.many(then)
            done, answers = await self._replace(project, trajectory_id, raw, old, row, then)
            if done:
                return answers
            read = ()

    async def _replace(
        self, project: str, trajectory_id: str, raw: bytes, old: Row | None, new: Row | None, then: Sequence[Command]
    ) -> tuple[bool, Sequence[Any]]:
        before = set(old.facets) if old else set()
        after = set(new.facets) if new else set()
        leave = sorted(before - after)
        names = [keys.rows(project), *(keys.index(project, f) for f in leave + sorted(after))]
        written = msgspec.json.encode(new) if new else _NO_ROW
        saving = scripts.SAVE_ROW.call(names, trajectory_id, raw, written, new.score if new else 0, len(leave))
        tally = Tally(self._link)
        _, (done,), answers = await self._link.stages(tally.noting(project, after - before), [saving], then)
        if done and new is None:
            await tally.forget(project, leave)
        return bool(done), answers

    def knowing(self, project: str, candidates: Sequence[str]) -> Command:
        """Returns the command that reads the rows of these ids, of one at least; what is not listed has none."""
        return ("HMGET", keys.rows(project), *candidates)

    async def newest_first(self, project: str, candidates: Sequence[str]) -> list[tuple[int, str]]:
        """Returns those candidates that are listed, with their places in time (µs), newest first."""
        found: list[tuple[int, str]] = []
        for at in range(0, len(candidates), _MANY):
            part = candidates[at : at + _MANY]
            scores = await self._link.one("ZMSCORE", keys.index(project, "all"), *part)
            found += [(int(float(s)), c) for s, c in zip(scores, part, strict=True) if s is not None]
        return sorted(found, reverse=True)

    async def counts(self, project: str) -> Mapping[str, int]:
        """Counts a project's trajectories by displayed verdict."""
        verdicts = get_args(DisplayVerdict)
        sizes = await self._link.many([("ZCARD", keys.index(project, facet("verdict", v))) for v in verdicts])
        return dict(zip(verdicts, sizes, strict=True))

    async def page(self, query: Query, projects: Sequence[str]) -> Page:
        """Answers a query over these projects, in order of time; the cursor is the last row's place.

        Raises:
            UsageError: the cursor or a time cannot be read.
        """
        after = _place_of(query.cursor)
        found: list[tuple[_Place, Summary]] = []
        for project in projects:
            found += await self._of_project(project, query, after)
        found.sort(key=lambda each: each[0], reverse=query.order == "newest")
        items = tuple(summary for _, summary in found[: query.limit])
        more = len(found) > query.limit
        return Page(items=items, next=_cursor_of(found[query.limit - 1][0]) if more else None)

    async def _of_project(self, project: str, query: Query, after: _Place | None) -> list[tuple[_Place, Summary]]:
        """Returns up to one row more than a page holds."""
        first, *others = await self._by_rarity(project, query)
        newest = query.order == "newest"
        lowest: list[int] = [micros_of("since", query.since)] if query.since else []
        highest: list[int] = [micros_of("until", query.until)] if query.until else []
        if after:
            (highest if newest else lowest).append(after[0])
        low, high = max(lowest, default="-inf"), min(highest, default="+inf")
        command = ("ZREVRANGEBYSCORE", first, high, low) if newest else ("ZRANGEBYSCORE", first, low, high)
        places: list[_Place] = []
        offset = 0
        chunk = _CHUNK if query.limit <= _CHUNK else _MANY
        while len(places) <= query.limit:
            answer = await self._link.one(*command, "WITHSCORES", "LIMIT", offset, chunk)
            ids = [each.decode() for each in answer[::2]]
            keep = await self._in_all(others, ids)
            scores = [int(float(score)) for score in answer[1::2]]
            here = [(s, project, i) for s, i, k in zip(scores, ids, keep, strict=True) if k]
            places += [p for p in here if after is None or (p < after if newest else p > after)]
            if len(ids) < chunk:
                break
            offset += chunk
        places = places[: query.limit + 1]
        if not places:
            return []
        raw = await self._link.one("HMGET", keys.rows(project), *(place[2] for place in places))
        rows = ((place, r) for place, r in zip(places, raw, strict=True) if r)
        return [(place, msgspec.json.decode(r, type=Row).summary) for place, r in rows]

    async def _by_rarity(self, project: str, query: Query) -> list[str]:
        wanted = [facet(name, value) for name in _FACETS if (value := getattr(query, name))]
        names = [keys.index(project, each) for each in wanted or ["all"]]
        sizes = await self._link.many([("ZCARD", name) for name in names])
        return [name for _, name in sorted(zip(sizes, names, strict=True))]

    async def _in_all(self, indexes: Sequence[str], ids: Sequence[str]) -> list[bool]:
        if not ids:
            return []
        answers = await self._link.many([("ZMSCORE", index, *ids) for index in indexes])
        return [all(answer[i] is not None for answer in answers) for i in range(len(ids))]


def micros_of(field: str, text: str) -> int:
    """Reads a time of a query; raises `UsageError` naming the field."""
    try:
        return micros(text)
    except ValueError as error:
        raise UsageError(f"{field}: {text[:40]!r} is no RFC 3339 time, such as 2026-01-31T12:00:00Z") from error


def _cursor_of(place: _Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _place_of(cursor: str | None) -> _Place | None:
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place: _Place = msgspec.json.decode(raw, type=_Place)
        return place
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise UsageError("cursor: not one that a page of this list gave; leave it out to start anew") from error
