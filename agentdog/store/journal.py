"""The journal: records by unit, and which units belong together.

Records are appended as they came and *folded* once they were woven (`deltas`): the append stays one cheap call, and who
folds has just read what a record is to be told apart from.

Invariants: a record is stored once, by its id; counters change in the same atomic call as what they count. Joins
are found when a changed unit is gathered: its keys are registered *before* others are looked up, so of two units
that are gathered at the same time at least one sees the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agentdog.base.clock import Clock
from agentdog.base.threads import beside
from agentdog.spans import Memory
from agentdog.spans.records import Arrived, Received, Record
from agentdog.store import keys, refusals, scripts
from agentdog.store.bundles import MOST, bundles, is_torn
from agentdog.store.contract import Receipt
from agentdog.store.deltas import refers_to
from agentdog.store.index import Joins
from agentdog.store.link import Command, Link
from agentdog.store.retold import Source
from agentdog.store.shelf import Fold, Loose, Shelf, field_of, raw_of

_FEW, _SMALL = 32, 1 << 15  # records, and their bytes, that are read or folded in a few milliseconds
_HOPS = 8  # records of a chain that are asked for one by one
_FOLDS = MOST  # records folded by one script call: Redis runs nothing else meanwhile, so it stays in the milliseconds
#: Records that were read stay here up to this size, as JSON: a run of 200 steps with 5 kB messages sends 0.1 GB.
_KEPT_BYTES = 128 * 2**20


class Journal:
    """Appends and gathers records.

    Args:
        link: the server.
        memory: tells what a unit's records share with those of other units (session, call id, response id …).
        clock: tells how old records are.
    """

    def __init__(self, link: Link, memory: Memory, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._memory = memory
        self._joins = Joins(link)
        self._shelves: dict[tuple[str, str], Shelf] = {}  # the least recently used first
        self._sizes: dict[tuple[str, str], int] = {}  # of shelves as they were kept last
        self._total = 0

    async def append(self, project: str, batch: Received) -> Receipt:
        """Writes a request's records in one round trip; atomic per unit and bundle; durable once it returns."""
        units: dict[str, list[Arrived]] = defaultdict(list)
        for record in batch.records:
            units[record.unit].append(record)
        before: list[Command] = [("SADD", keys.PROJECTS, project)]
        appends: list[Command] = []
        for unit, records in units.items():
            appends += self._appends(project, unit, records)
        if batch.rejected:
            before.append(refusals.command(project, batch.rejected))
        answers = await self._link.many(before + appends) if units or batch.rejected else []
        stored = sum(answers[len(before) :])
        return Receipt(stored=stored, duplicate=len(batch.records) - stored, rejected=len(batch.rejected))

    def _appends(self, project: str, unit: str, records: Sequence[Arrived]) -> list[Command]:
        now_ms = self._clock.now_ns() // 1_000_000
        number = keys.partition(project, unit)
        names = [
            keys.records(project, unit),
            keys.count(number, project),
            keys.dirty(number),
            keys.work(number),
            keys.ages(number),
        ]
        return [
            scripts.APPEND.call(names, project, unit, now_ms, count, bundle, *fields)
            for fields, count, bundle in bundles(records, field_of)
        ]

    async def gather(self, project: str, unit: str) -> Sequence[Record]:
        """Returns all records of the unit and of every unit joined to it, however indirectly."""
        own, known = await self._read(project, [unit], self._joins.known(project, unit))
        joins = await beside(len(own) <= _FEW, self._memory.join_keys, own, project=project)
        others = [each for each in await self._joins.meet(project, unit, joins, known) if each != unit]
        return (*own, *(await self._read(project, others))[0]) if others else own

    async def bearers(self, project: str, joins: Iterable[str]) -> Sequence[str]:
        """See `Joins.bearers`."""
        return await self._joins.bearers(project, joins)

    async def sample(self, units: int) -> Sequence[Record]:
        """Returns the records of up to so many units of any project, whichever come first."""
        found: list[bytes] = []
        async for names in self._link.scan(keys.ALL_RECORDS):
            found += names
            if len(found) >= units:
                break
        answers = await self._link.many([("HGETALL", name) for name in found[:units]])
        return tuple(record for answer in answers for record in _read_alone(answer).records.values())

    def held(self, project: str, units: Sequence[str]) -> list[tuple[Source, bytes]]:
        """Returns records of these units that this process has at hand, with their bytes: of each sort the largest."""
        best: dict[str, tuple[str, Loose]] = {}
        for unit in units:
            shelf = self._shelves.get((project, unit))
            for each in shelf.loose() if shelf is not None else ():
                if each.sort not in best or best[each.sort][1].rank < each.rank:
                    best[each.sort] = (unit, each)
        ordered = sorted(best.values(), key=lambda found: found[1].rank, reverse=True)
        return [(Source(unit, each.field), each.raw) for unit, each in ordered]

    def drop(self, project: str, unit: str) -> None:
        """Forgets what was read of a unit."""
        self._put_away((project, unit))
        self._memory.forget(project, unit)

    async def of_key(self, name: bytes) -> tuple[Record, ...]:
        """Returns the records under one key, read from the store and kept nowhere."""
        answer = await self._link.one("HGETALL", name)
        return tuple((await beside(len(answer) <= 2 * _FEW, _read_alone, answer)).records.values())

    async def raw(self, project: str, unit: str, field: bytes) -> bytes | None:
        """Returns the bytes of one record; None when it is gone."""
        name, stored = keys.records(project, unit), dict[bytes, bytes]()
        at: bytes | None = field
        while at is not None and at not in stored and len(stored) < _HOPS:
            value = await self._link.one("HGET", name, at)
            if value is None:
                return None
            stored[at], at = value, refers_to(value)
        if at is not None or is_torn(stored):
            # A long chain, or a bundle that somebody took apart between two looks: all at once instead.
            stored = _pairs(await self._link.one("HGETALL", name))
            if field not in stored:
                return None
        return await beside(len(stored) == 1, raw_of, field, stored)

    async def trim(self, project: str, unit: str) -> None:
        """Folds the unit's records that lie as they were appended and that were gathered here."""
        key = (project, unit)
        shelf = self._shelves.get(key)
        if shelf is None:
            return
        folds = await beside(shelf.size < _SMALL, shelf.folds)
        for chunk in _chunks(folds):
            if not await self._link.run(scripts.FOLD, [keys.records(project, unit)], *_arguments(chunk)):
                self._put_away(key)  # somebody else folded, or deleted: what lies there is to be read anew
                return
        shelf.settle(folds)

    async def _read(
        self, project: str, units: Sequence[str], also: Command | None = None
    ) -> tuple[tuple[Record, ...], Any]:
        """Returns the units' records, of which only what was not read before is asked for; and another answer."""
        shelves = [self._shelves.get((project, unit)) or Shelf() for unit in units]
        unread = [_unread(project, unit, shelf) for unit, shelf in zip(units, shelves, strict=True)]
        known = [len(shelf.records) for shelf in shelves]
        answers = await self._link.many([*unread, *([also] if also is not None else [])])
        records: list[Record] = []
        for unit, shelf, number, answer in zip(units, shelves, known, answers, strict=False):
            records += (await self._filled(project, unit, shelf, number, answer)).records.values()
        return tuple(records), answers[-1] if also is not None else None

    async def _filled(self, project: str, unit: str, shelf: Shelf, known: int, answer: Sequence[Any]) -> Shelf:
        there, flat = answer
        stored = _pairs(flat)
        gone = there < known or (known and self._shelves.get((project, unit)) is not shelf)
        if gone or not shelf.readable(stored):
            # Deleted meanwhile; or folded by another worker, upon records whose bytes are not here any more.
            shelf, stored = Shelf(), _pairs(await self._link.one("HGETALL", keys.records(project, unit)))
        shelf.put(stored)
        if shelf.records:
            self._keep((project, unit), shelf)
        return shelf

    def _keep(self, key: tuple[str, str], shelf: Shelf) -> None:
        self._put_away(key)
        self._shelves[key], self._sizes[key] = shelf, shelf.size
        self._total += shelf.size
        while self._total > _KEPT_BYTES:
            self._put_away(next(iter(self._shelves)))

    def _put_away(self, key: tuple[str, str]) -> None:
        self._shelves.pop(key, None)
        self._total -= self._sizes.pop(key, 0)


def _unread(project: str, unit: str, shelf: Shelf) -> Command:
    return scripts.UNREAD.call([keys.records(project, unit)], *shelf.records)


def _pairs(answer: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(answer[::2], answer[1::2], strict=True))


def _read_alone(answer: Sequence[bytes]) -> Shelf:
    shelf = Shelf()
    shelf.put(_pairs(answer))
    return shelf


def _chunks(folds: Iterable[Fold]) -> Iterator[list[Fold]]:
    """Splits what is to be folded; a bundle stays whole."""
    groups: dict[bytes, list[Fold]] = {}
    for each in folds:
        groups.setdefault(each.bundle or b"alone:" + each.field, []).append(each)
    chunk: list[Fold] = []
    for group in groups.values():
        if chunk and len(chunk) + len(group) > _FOLDS:
            yield chunk
            chunk = []
        chunk += group
    if chunk:
        yield chunk


def _arguments(folds: Sequence[Fold]) -> list[str | int | bytes | float]:
    return [value for each in folds for value in (each.field, each.sha, each.base, each.new)]
