"""The list of trajectories: rows and sorted-set indexes of one project.

By start a page is read from the index of the rarest facet. In another order it is picked from those that match where
they are few, and read from that order's index where they are many.

Invariant: a row and the indexes it stands in change in one atomic call, and never go back to an older revision.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from agentdog.base.errors import UsageError
from agentdog.store import keys, ordering, scripts
from agentdog.store.contract import DisplayVerdict, Page, Query, Sort, Summary
from agentdog.store.link import Command, Link
from agentdog.store.rows import Row, facet, micros
from agentdog.store.tally import Tally

#: Place of a row in the whole list: score, project, id.
_Place = tuple[int, str, str]
#: Lowest and highest; ``None`` is no bound.
_Span = tuple[int | None, int | None]
_EVER: _Span = (None, None)
_CHUNK, _MANY, _SCANNED = 128, 5000, 500
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
        gone = leave if new else [*leave, *ordering.FACETS]
        saving = _saving(project, trajectory_id, raw, new, gone, dict.fromkeys(sorted(after), new.score if new else 0))
        tally = Tally(self._link)
        _, (done,), answers = await self._link.stages(tally.noting(project, after - before), [saving], then)
        if done and new is None:
            await tally.forget(project, leave)
        return bool(done), answers

    async def reorder(self, project: str) -> int:
        """Gives every row its places in all orders; returns how many rows there are."""
        cursor, count = "0", 0
        while True:
            answer = await self._link.one("HSCAN", keys.rows(project), cursor, "COUNT", _SCANNED)
            cursor, flat = answer[0].decode(), answer[1]
            rows = zip(flat[::2], flat[1::2], strict=True)
            # A row that changed meanwhile is left alone: whoever changed it has placed it.
            commands = [
                _saving(project, i.decode(), raw, msgspec.json.decode(raw, type=Row), [], {}) for i, raw in rows
            ]
            await self._link.many(commands)
            count += len(commands)
            if cursor == "0":
                return count

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
        """Answers a query over these projects, in its order; the cursor is the last row's place.

        Raises:
            UsageError: the cursor or a time cannot be read.
        """
        after = _place_of(query)
        found: list[tuple[_Place, Summary]] = []
        for project in projects:
            found += await self._of_project(project, query, after)
        found.sort(key=lambda each: each[0], reverse=query.descending)
        items = tuple(summary for _, summary in found[: query.limit])
        more = len(found) > query.limit
        return Page(items=items, next=_cursor_of(found[query.limit - 1][0], query) if more else None)

    async def _of_project(self, project: str, query: Query, after: _Place | None) -> list[tuple[_Place, Summary]]:
        """Returns up to one row more than a page holds."""
        names = [keys.index(project, facet(n, value)) for n in _FACETS if (value := getattr(query, n))]
        low = micros_of("since", query.since) if query.since else None
        high = micros_of("until", query.until) if query.until else None
        if query.sort == "start":
            first, *others = (name for _, name in await self._by_rarity(names or [keys.index(project, "all")]))
            places = await self._walk(project, query, after, first, others, (low, high))
        else:
            places = await self._in_order(project, query, after, names, (low, high))
        if not places:
            return []
        raw = await self._link.one("HMGET", keys.rows(project), *(place[2] for place in places))
        rows = ((place, r) for place, r in zip(places, raw, strict=True) if r)
        return [(place, msgspec.json.decode(r, type=Row).summary) for place, r in rows]

    async def _walk(
        self,
        project: str,
        query: Query,
        after: _Place | None,
        first: str,
        others: Sequence[str],
        within: _Span,
        started: _Span = _EVER,
    ) -> list[_Place]:
        """Reads an index in order, between two scores and beyond the cursor, until a page is full.

        Args:
            project: of the index.
            query: how many, and from which end.
            after: where the page before ended.
            first: the index that is read.
            others: indexes that a row has to stand in too.
            within: lowest and highest score.
            started: earliest and latest start in µs, where the index is by something else.
        """
        lowest, highest = ([each] if each is not None else [] for each in within)
        if after:
            (highest if query.descending else lowest).append(after[0])
        low, high = max(lowest, default="-inf"), min(highest, default="+inf")
        command = ("ZREVRANGEBYSCORE", first, high, low) if query.descending else ("ZRANGEBYSCORE", first, low, high)
        places: list[_Place] = []
        offset = 0
        chunk = _CHUNK if query.limit <= _CHUNK else _MANY
        while len(places) <= query.limit:
            answer = await self._link.one(*command, "WITHSCORES", "LIMIT", offset, chunk)
            ids = [each.decode() for each in answer[::2]]
            keep = await self._passing(project, others, started, ids)
            scores = [int(float(score)) for score in answer[1::2]]
            here = [(s, project, i) for s, i, k in zip(scores, ids, keep, strict=True) if k]
            places += [place for place in here if _beyond(place, after, query)]
            if len(ids) < chunk:
                break
            offset += chunk
            chunk = min(chunk * 4, _MANY)  # what is rare among many is looked for in larger strides
        return places[: query.limit + 1]

    async def _in_order(
        self, project: str, query: Query, after: _Place | None, names: Sequence[str], started: _Span
    ) -> list[_Place]:
        """Reads a page by another order than the start's."""
        order, timed = keys.index(project, ordering.facet_of(query.sort)), keys.index(project, "all")
        low, high = ("-inf" if started[0] is None else started[0]), ("+inf" if started[1] is None else started[1])
        sizes = await self._by_rarity(names)
        during = (await self._link.one("ZCOUNT", timed, low, high), timed) if started != _EVER else None
        if min([*sizes, *([during] if during else [])], default=(_MANY + 1, ""))[0] > _MANY:
            return await self._walk(project, query, after, order, [name for _, name in sizes], _EVER, started)
        if during and (not sizes or during < sizes[0]):
            ids, others, span = await self._link.one("ZRANGEBYSCORE", timed, low, high), names, _EVER
        else:
            ids, others, span = await self._link.one("ZRANGE", sizes[0][1], 0, -1), [n for _, n in sizes[1:]], started
        few = [each.decode() for each in ids]
        if not few:
            return []
        keep = await self._passing(project, others, span, few)
        scores = await self._link.one("ZMSCORE", order, *few)
        places = [(int(float(s)), project, i) for s, i, k in zip(scores, few, keep, strict=True) if k and s is not None]
        return sorted((p for p in places if _beyond(p, after, query)), reverse=query.descending)[: query.limit + 1]

    async def _by_rarity(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """Returns how many rows stand in each index, the fewest first."""
        sizes = await self._link.many([("ZCARD", name) for name in names])
        return sorted(zip(sizes, names, strict=True))

    async def _passing(self, project: str, indexes: Sequence[str], started: _Span, ids: Sequence[str]) -> list[bool]:
        """Tells which of these rows stand in all indexes and began in a span of time."""
        if not ids:
            return []
        timed = [keys.index(project, "all")] if started != _EVER else []
        answers = await self._link.many([("ZMSCORE", index, *ids) for index in (*indexes, *timed)])
        low, high = started
        in_time = [
            score is not None and (low is None or float(score) >= low) and (high is None or float(score) <= high)
            for score in (answers.pop() if timed else [])
        ] or [True] * len(ids)
        return [in_time[i] and all(answer[i] is not None for answer in answers) for i in range(len(ids))]


def _saving(
    project: str,
    trajectory_id: str,
    raw: bytes,
    new: Row | None,
    leave: Sequence[str],
    enter: Mapping[str, int],
) -> Command:
    """Returns the command that replaces a row, with the indexes to leave and the places in those to enter."""
    placed = {**enter, **ordering.places(new.summary)} if new else {}
    names = [keys.rows(project), *(keys.index(project, each) for each in (*leave, *placed))]
    written = msgspec.json.encode(new) if new else _NO_ROW
    return scripts.SAVE_ROW.call(names, trajectory_id, raw, written, len(leave), *placed.values())


def _beyond(place: _Place, after: _Place | None, query: Query) -> bool:
    return after is None or (place < after if query.descending else place > after)


def micros_of(field: str, text: str) -> int:
    """Reads a time of a query; raises `UsageError` naming the field."""
    try:
        return micros(text)
    except ValueError as error:
        raise UsageError(f"{field}: {text[:40]!r} is no RFC 3339 time, such as 2026-01-31T12:00:00Z") from error


def _cursor_of(place: _Place, query: Query) -> str:
    named = place if query.sort == "start" else (*place, query.sort)
    return base64.urlsafe_b64encode(msgspec.json.encode(named)).decode().rstrip("=")


def _place_of(query: Query) -> _Place | None:
    cursor = query.cursor
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if query.sort == "start":
            place: _Place = msgspec.json.decode(raw, type=_Place)
            return place
        score, project, run, sort = msgspec.json.decode(raw, type=tuple[int, str, str, Sort])
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise UsageError("cursor: not one that a page of this list gave; leave it out to start anew") from error
    if sort == query.sort:
        return score, project, run
    raise UsageError(f"cursor: of a list by {sort}; leave it out to start anew by {query.sort}")
