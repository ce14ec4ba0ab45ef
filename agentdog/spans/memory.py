"""Reading and weaving with a memory: every span is read once, and a run that grows is woven from where it was.

Invariant: the results are those of `join_keys` and `reconstruct`, for any records in any order (the tests hold them
against each other); the memory only saves time, is bounded, and may be lost at any moment.

What one memory holds is one group of units at a time per place; who works on a group takes it out meanwhile, so several
threads may share a memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock

import msgspec

from agentdog.base.ids import canonical_json
from agentdog.spans import dialects
from agentdog.spans.dialects.evidence import Evidence
from agentdog.spans.doubles import Reduced
from agentdog.spans.grouping import Links, hear_links
from agentdog.spans.listen import Readings, listen, placed
from agentdog.spans.reconstruct import IDLE_NS, Means, join_keys, reconstruct, record_links
from agentdog.spans.records import Log, Record, Span
from agentdog.spans.replay import Replay
from agentdog.spans.utterances import Heard, Message, Reading
from agentdog.spans.weave import Loom
from agentdog.spans.weight import TEXT_LIMIT
from agentdog.trajectory import Trajectory

#: Size of what is remembered, as characters of the records' texts.
LIMIT = 128 * 2**20


class Memory:
    """Remembers the groups of units that were worked on last.

    Args:
        limit: characters of the records that are remembered; a group that is larger is worked on from nothing.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = Lock()
        self._by_unit: dict[tuple[str, str], _Remembered] = {}  # the least recently used first
        self._total = 0  # size of all; adding it up anew would cost more than weaving once thousands are remembered

    def join_keys(self, records: Iterable[Record], *, project: str = "default") -> frozenset[str]:
        """See `reconstruct.join_keys`."""
        known = list(records)
        names = _names(project, known)
        means = self._take(names)
        found = join_keys(known, means=means)
        self._put(names, means)
        return found

    def reconstruct(
        self,
        records: Iterable[Record],
        *,
        project: str = "default",
        now_ns: int | None = None,
        idle_ns: int = IDLE_NS,
        text_limit: int = TEXT_LIMIT,
    ) -> list[Trajectory]:
        """See `reconstruct.reconstruct`."""
        known = list(records)
        names = _names(project, known)
        means = self._take(names)
        woven = reconstruct(known, project=project, now_ns=now_ns, idle_ns=idle_ns, text_limit=text_limit, means=means)
        self._put(names, means)
        return woven

    def forget(self, project: str, unit: str) -> None:
        """Forgets what was read and woven of a unit, and of those it was woven with."""
        with self._lock:
            known = self._by_unit.get((project, unit))
            if known is not None:
                self._forget(known)

    def _take(self, names: list[tuple[str, str]]) -> _Remembered:
        """Takes out what is known of any of the units; of several memories, the largest."""
        with self._lock:
            found = {id(self._by_unit[name]): self._by_unit[name] for name in names if name in self._by_unit}
            best = max(found.values(), key=lambda each: each.size, default=None)
            if best is None:
                return _Remembered()
            self._forget(best)
            return best

    def _put(self, names: list[tuple[str, str]], means: _Remembered) -> None:
        with self._lock:
            for name in (*means.names, *names):
                known = self._by_unit.get(name)
                if known is not None:
                    self._forget(known)
            means.names = list(dict.fromkeys((*means.names, *names)))
            self._by_unit.update((name, means) for name in means.names)
            means.counted = means.size
            self._total += means.counted
            while self._total > self._limit and self._by_unit:
                self._forget(next(iter(self._by_unit.values())))

    def _forget(self, means: _Remembered) -> None:
        for name in means.names:
            self._by_unit.pop(name, None)
        self._total -= means.counted
        means.counted = 0


class _Linked(msgspec.Struct):
    """A unit's links, and what they were made from."""

    links: Links
    records: dict[str, Record]
    heard: dict[str, Heard]


class _Remembered(Means):
    """What was read and woven of one group of units."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self.size = 0
        self.counted = 0  # of that, what the memory has counted
        self._readings: dict[str, tuple[Span | None, tuple[Log, ...], Reading]] = {}
        self._heard: dict[str, Heard] = {}
        self._placed: dict[str, tuple[tuple[str, ...], list[object], Heard]] = {}
        self._listened: tuple[list[Record], list[Heard]] = ([], [])
        self._links: dict[str, _Linked] = {}
        self._replays: dict[str, Replay] = {}
        self._longest: tuple[Message, ...] = ()

    def listen(self, records: list[Record]) -> list[Heard]:
        """Reads what was not read before."""
        before, heard = self._listened
        if not _all_same(before, records):
            heard = [self._one(fresh) for fresh in listen(records, self._read, self._place)]
            self._listened = (records, heard)
        return list(heard)

    def _one(self, fresh: Heard) -> Heard:
        """Returns the same object for what says the same as before."""
        known = self._heard.get(fresh.source)
        if known is not fresh:
            same = known is not None and known.reading is fresh.reading and known == fresh
            self._heard[fresh.source] = known if known is not None and same else fresh
        return self._heard[fresh.source]

    def _place(self, source: str, ancestors: tuple[str, ...], readings: Readings, spans: dict[str, Span]) -> Heard:
        """See `listen.placed`; what depends on the same objects as before is not asked again."""
        around = [part for each in (source, *ancestors) for part in _parts(readings[each])]
        known = self._placed.get(source)
        if known is not None and known[0] == ancestors and _all_same(known[1], around):
            return known[2]
        heard = placed(source, ancestors, readings, spans)
        if known is not None and known[2].reading is heard.reading and known[2] == heard:
            heard = known[2]
        self._placed[source] = (ancestors, around, heard)
        return heard

    def links(self, records: Iterable[Record], heard: Iterable[Heard]) -> dict[str, Links]:
        """Adds what is new to the links of each unit, in which nothing else has changed."""
        of_unit: dict[str, dict[str, Record]] = defaultdict(dict)
        for record in records:
            of_unit[record.unit][record.id] = record
        told: dict[str, dict[str, Heard]] = defaultdict(dict)
        for each in heard:
            told[each.unit][each.source] = each
        # In the order of the records, as `links_of` has it.
        return {unit: self._linked(unit, of_unit.get(unit, {}), told.get(unit, {})) for unit in {**of_unit, **told}}

    def weave(self, group: str, reduced: Reduced) -> Loom:
        """Weaves on from where this group was."""
        return self._replays.setdefault(group, Replay()).weave(reduced)

    def _read(self, evidence: Evidence) -> Reading:
        span, logs = evidence.span, evidence.logs
        source = span.id if span is not None else f"{logs[0].trace_id}:{logs[0].span_id}"
        known = self._readings.get(source)
        same = known is not None and known[0] is span and len(known[1]) == len(logs)
        if known is not None and same and all(a is b for a, b in zip(known[1], logs, strict=True)):
            return known[2]
        reading = self._shared(dialects.read(evidence))
        self._readings[source] = (span, logs, reading)
        self.size += sum(_weight(record) for record in (span, *logs) if record is not None)
        return reading

    def _shared(self, reading: Reading) -> Reading:
        """Lets a history consist of the messages that were read before, where they are equal."""
        longest = self._longest
        said = tuple(
            longest[place] if place < len(longest) and _same(longest[place], message) else message
            for place, message in enumerate(reading.input)
        )
        if len(said) >= len(longest):
            self._longest = said
        return msgspec.structs.replace(reading, input=said)

    def _linked(self, unit: str, records: dict[str, Record], heard: dict[str, Heard]) -> Links:
        known = self._links.get(unit)
        if known is None or not (_grew(known.records, records) and _grew(known.heard, heard)):
            start = 0 if records else min(each.at.start for each in heard.values())
            known = self._links[unit] = _Linked(Links(start=start), {}, {})
        for name, record in records.items():
            if name not in known.records:
                record_links(known.links, record)
        for name, each in heard.items():
            if name not in known.heard:
                hear_links(known.links, each)
        known.records, known.heard = records, heard
        return known.links


def _parts(read: tuple[Evidence, Reading]) -> tuple[object, ...]:
    evidence, reading = read
    return (reading, evidence.span, *evidence.logs)


def _all_same(before: Sequence[object], now: Sequence[object]) -> bool:
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def _grew(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Whether everything that was is still there, itself: what is merely equal may differ (1 and true)."""
    return all(now.get(name) is value for name, value in before.items())


def _same(one: Message, other: Message) -> bool:
    if one != other:
        return False
    return all(
        canonical_json(a.arguments) == canonical_json(b.arguments) for a, b in zip(one.calls, other.calls, strict=True)
    )


def _names(project: str, records: Iterable[Record]) -> list[tuple[str, str]]:
    return [(project, unit) for unit in dict.fromkeys(record.unit for record in records)]


def _weight(record: Record) -> int:
    return 500 + sum(len(value) for value in record.attributes.values() if isinstance(value, str))
