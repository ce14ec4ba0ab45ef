"""The public face of this room: records in, trajectories out; and the keys by which units find each other.

Everything here is a pure function of the *set* of records: any order, any split, any repetition gives the same answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec

from agentdog.base.clock import parse_rfc3339
from agentdog.base.ids import digest
from agentdog.spans import doubles
from agentdog.spans.assemble import Assembly
from agentdog.spans.dialects.evidence import session_of
from agentdog.spans.grouping import Links, call_keys, counterparts, groups, hear_links, keys_of, session
from agentdog.spans.header import agents_of, handoffs, missing_of
from agentdog.spans.listen import distinct, listen
from agentdog.spans.records import Record, Span
from agentdog.spans.utterances import Heard
from agentdog.spans.weave import Loom, weave
from agentdog.spans.weight import TEXT_LIMIT
from agentdog.trajectory import Step, Trajectory

#: Quiet time after which a trajectory counts as ended: batch exporters wait 5 s, and a retry may take 10 s twice more.
IDLE_NS = 30 * 1_000_000_000


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to weave: whose records they are, what time it is, and how long texts may be."""

    project: str
    now_ns: int | None
    idle_ns: int
    text_limit: int


class Means:
    """How records are read and woven: from nothing. `memory` has means that remember, with the same results."""

    def listen(self, records: list[Record]) -> list[Heard]:
        """Returns what the records tell, in order."""
        return listen(records)

    def links(self, records: Iterable[Record], heard: Iterable[Heard]) -> dict[str, Links]:
        """Returns what each unit can be joined by."""
        return links_of(records, heard)

    def weave(self, group: str, reduced: doubles.Reduced) -> Loom:
        """Weaves one group, named by the unit that founded it."""
        return weave(reduced)


_FROM_NOTHING = Means()


def join_keys(records: Iterable[Record], *, means: Means = _FROM_NOTHING) -> frozenset[str]:
    """Returns opaque keys that link one unit with others.

    Args:
        records: records of *one* unit. The union over parts of a unit is the answer for the whole, except that
            text-only conversations told by one event per message link only when a span's events are seen together.
        means: how they are read.

    Returns:
        Keys such that the units that bear `counterparts` of them, transitively, include every unit that `reconstruct`
        would join with this one.
    """
    known = distinct(records)
    units = means.links(known, means.listen(known))
    return frozenset(key for unit, links in units.items() for key in keys_of(unit, links))


def reconstruct(
    records: Iterable[Record],
    *,
    project: str = "default",
    now_ns: int | None = None,
    idle_ns: int = IDLE_NS,
    text_limit: int = TEXT_LIMIT,
    means: Means = _FROM_NOTHING,
) -> list[Trajectory]:
    """Rebuilds trajectories.

    Args:
        records: spans and log records of any number of units.
        project: whose they are.
        now_ns: wall time in nanoseconds since the epoch; None means that idle time has passed.
        idle_ns: quiet nanoseconds after which a trajectory counts as ended.
        text_limit: characters of one text that are kept; the rest is an attachment's.
        means: how they are read and woven.

    Returns:
        One trajectory per group of units, the earliest first; units that tell of no step are left out.
    """
    options = _Options(project=project, now_ns=now_ns, idle_ns=idle_ns, text_limit=text_limit)
    known = distinct(records)
    heard = means.listen(known)
    links = means.links(known, heard)
    by_unit: dict[str, list[Heard]] = defaultdict(list)
    for h in heard:
        by_unit[h.unit].append(h)
    of_unit: dict[str, list[Record]] = defaultdict(list)
    for record in known:
        of_unit[record.unit].append(record)
    out = []
    for group in groups(links):
        inside = [h for unit in group for h in by_unit.get(unit, ())]
        woven = _woven(group, inside, [r for unit in group for r in of_unit[unit]], links, options, means)
        if woven is not None:
            out.append(woven)
    return out


def trajectory_id(project: str, unit: str) -> str:
    """Returns the id of the trajectory that a unit founds; the others of its group keep theirs as aliases."""
    return "t" + digest(project, unit, size=8)


def ids(trajectory: Trajectory) -> frozenset[str]:
    """Returns the ids by which it is looked up: its spans, traces, session, the trajectories its units would be.

    What `whereabouts` reduces to one of these is not among them, nor are calls that `call_keys` lead to.
    """
    found = {trajectory.id}
    if trajectory.session_id:
        found.add(trajectory.session_id)
    traces: set[str] = set()
    for step in trajectory.steps:
        found.update(call.id for call in step.tool_calls if call.id_synthetic)
        for source in step.sources:
            found.add(whereabouts(trajectory.project, source) or source)
            trace, _, span = source.partition(":")
            if trace != "log":
                found.add(span)
                traces.add(trace)
    found.update(trajectory_id(trajectory.project, f"trace:{trace}") for trace in traces)
    return frozenset(found)


def whereabouts(project: str, source: str) -> str | None:
    """Returns the id among `ids` under which a step's source is found: its trace, or its session's trajectory."""
    head, colon, tail = source.partition(":")
    if head == "log":
        return trajectory_id(project, f"session:{tail.rpartition(':')[0]}")
    return head if colon else None


def unit_of(source: str) -> str:
    """Returns the unit of the record that a step's source names."""
    head, _, tail = source.partition(":")
    return f"session:{tail.rpartition(':')[0]}" if head == "log" else f"trace:{head}"


def units_of(trajectory: Trajectory) -> tuple[str, ...]:
    """Returns the units whose records a trajectory's steps cite, in order."""
    return tuple(dict.fromkeys(unit_of(source) for step in trajectory.steps for source in step.sources))


def links_of(records: Iterable[Record], heard: Iterable[Heard]) -> dict[str, Links]:
    """Returns what each unit can be joined by."""
    units: dict[str, Links] = {}
    for record in records:
        record_links(units.setdefault(record.unit, Links()), record)
    for h in heard:
        hear_links(units.setdefault(h.unit, Links(start=h.at.start)), h)
    return units


def record_links(links: Links, record: Record) -> None:
    """Adds what one record itself links its unit by."""
    start = record.start_ns if isinstance(record, Span) else record.time_ns
    links.start = min(links.start or start, start)
    stated = session_of(record.attributes)
    if stated:
        links.sessions[stated] += 1
        links.since[stated] = min(start, links.since.get(stated, start))
    if isinstance(record, Span) and len(record.links) == 1:  # several links are a batch, not a cause
        links.linked.add("trace:" + record.links[0].partition(":")[0])


def _woven(
    group: list[str],
    heard: list[Heard],
    records: list[Record],
    links: dict[str, Links],
    options: _Options,
    means: Means,
) -> Trajectory | None:
    reduced = doubles.reduce(heard)
    assembly = Assembly(means.weave(group[0], reduced), options.text_limit)
    steps = handoffs(assembly.steps)
    if not steps:
        return None
    told = {source for h in heard for source in h.sources}
    took_part = [r for r in records if r.id in told or _source(r) in told]
    return Trajectory(
        id=trajectory_id(options.project, group[0]),
        digest=digest(*sorted(r.id for r in records)),
        project=options.project,
        session_id=_session(group, links),
        agents=agents_of(reduced, assembly, steps),
        completion=_completion(steps, heard, records, options),
        missing=missing_of(steps),
        scopes=tuple(sorted({f"{r.scope}@{r.scope_version}" if r.scope_version else r.scope for r in took_part})),
        steps=tuple(steps),
    )


def _session(group: list[str], links: dict[str, Links]) -> str | None:
    responses = {value for unit in links.values() for value in unit.responses}
    return next((found for unit in group if (found := session(links[unit], responses))), None)


def _source(record: Record) -> str:
    if isinstance(record, Span):
        return record.id
    return f"{record.trace_id}:{record.span_id}" if record.span_id else record.id


def _completion(
    steps: list[Step], heard: list[Heard], records: list[Record], options: _Options
) -> Literal["root", "final", "idle", "open"]:
    last = max(heard, key=lambda h: (h.end, h.source))
    if any(h.root and h.reading.kind in ("agent", "other") and h.end >= last.end for h in heard):
        return "root"
    roots = [r for r in records if isinstance(r, Span) and r.parent_id is None]
    if any(r.unit == last.unit and r.end_ns >= last.end and r.id != last.source for r in roots):
        return "root"
    if steps[-1].role == "agent" and not steps[-1].tool_calls and steps[-1].content:
        return "final"
    ended = parse_rfc3339(max(s.end_time or s.start_time for s in steps if s.start_time))  # text order is time order
    return "idle" if options.now_ns is None or options.now_ns - max(ended, last.end) >= options.idle_ns else "open"


__all__ = [
    "IDLE_NS",
    "Means",
    "call_keys",
    "counterparts",
    "ids",
    "join_keys",
    "reconstruct",
    "trajectory_id",
    "units_of",
    "whereabouts",
]
