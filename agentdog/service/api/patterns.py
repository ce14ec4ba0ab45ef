"""What repeats: incidents by where, how and what, over time, by tool and agent, and cases that are much the same.

Invariant: counts over all runs come from indexes and are exact; what is said of incidents is of the newest `READ` runs
that have one, and the answer says of how many.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, get_args

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param
from pydantic import BaseModel, ConfigDict, Field

import taxonomy
from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import Moment, Text
from agentdog.service.api.respond import documented, reply
from agentdog.service.auth import current
from agentdog.store.contract import DisplayVerdict, Query, Store, Summary
from agentdog.store.rows import facet, micros

READ = 5000
_BUSIEST, _GROUPS, _EXAMPLES = 40, 50, 3
_DIGITS = re.compile(r"\d+")


class Flow(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How many runs share where, how and what; an axis is absent where the guard did not say."""

    count: int
    risk_source: str | None = None
    failure_mode: str | None = None
    real_world_harm: str | None = None


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """An agent or a tool: all its runs, and those that went wrong or could not be evaluated."""

    name: str
    runs: int
    unsafe: int


class Case(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Runs that are much the same: labels, agents, tools, and the request but for its numbers."""

    count: int
    first: str
    last: str
    examples: tuple[Summary, ...]


class Patterns(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that repeats in a span of time.

    Attributes:
        verdicts: exact counts of runs by shown verdict.
        read: runs with an incident that the rest is said of, the newest; `verdicts` says how many there are.
        buckets: begins of the equal parts that the span is cut into, RFC 3339.
        heat: by axis, label → runs per part, exact.
    """

    since: str
    until: str
    verdicts: Mapping[str, int]
    read: int
    flows: tuple[Flow, ...]
    buckets: tuple[str, ...]
    heat: Mapping[str, Mapping[str, Sequence[int]]]
    agents: tuple[Busy, ...]
    tools: tuple[Busy, ...]
    cases: tuple[Case, ...]


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Names that occur, with how many runs have each, the most frequent first."""

    agents: Mapping[str, int]
    tools: Mapping[str, int]


class PatternFilter(BaseModel):
    """Of which runs."""

    model_config = ConfigDict(extra="forbid")

    project: Text | None = Field(default=None, description="Exact name of the project.")
    since: Moment | None = Field(default=None, description="Not before this time; else since the oldest run.")
    until: Moment | None = Field(default=None, description="Not after this time; else now.")
    buckets: int = Field(default=24, ge=1, le=200, description="Equal parts that the time is cut into.")


def build(store: Store, clock: Clock | None = None) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["reading"])
    now = clock or SystemClock()

    @router.get(
        "/patterns",
        summary="What repeats: where → how → what, over time, by tool and agent, much the same cases",
        response_class=Response,
        responses=documented(Patterns, "Counts by verdict and label are exact; the rest is of the newest incidents."),
    )
    async def patterns(asked: Annotated[PatternFilter, Param()]) -> Response:
        return reply(await _patterns(store, asked, now.now_ns()))

    @router.get(
        "/names",
        summary="Agents and tools that occur",
        response_class=Response,
        responses=documented(Names, "What the list may be filtered by."),
    )
    async def names(project: Annotated[Text | None, Param(description="Of this project only.")] = None) -> Response:
        found = await store.names(_allowed(project), current().projects)
        return reply(Names(agents=found["agent"], tools=found["tool"]))

    return router


async def _patterns(store: Store, asked: PatternFilter, now_ns: int) -> Patterns:
    _allowed(asked.project)
    until = asked.until or rfc3339(now_ns)
    since = asked.since or await _oldest(store, asked.project) or until
    low, high = micros(since), micros(until)
    rows = await _unsafe(store, asked, since, until)
    spans = _cut(low, high, asked.buckets)
    labels = {axis: sorted({label for row in rows if (label := getattr(row, axis))}) for axis in taxonomy.AXES}
    named = [facet(axis, label) for axis, found in labels.items() for label in found]
    counted = await store.tally(asked.project, named, spans, current().projects)
    verdicts = [facet("verdict", verdict) for verdict in get_args(DisplayVerdict)]
    totals = await store.tally(asked.project, verdicts, [(low, high)], current().projects)
    return Patterns(
        since=since,
        until=until,
        verdicts={each.partition("=")[2]: number for each, (number,) in totals.items()},
        read=len(rows),
        flows=_flows(rows),
        buckets=tuple(rfc3339(begin * 1000) for begin, _ in spans),
        heat={axis: {label: counted[facet(axis, label)] for label in found} for axis, found in labels.items()},
        agents=await _busy(store, asked.project, "agent", [row.agents for row in rows], (low, high)),
        tools=await _busy(store, asked.project, "tool", [row.tools for row in rows], (low, high)),
        cases=_cases(rows),
    )


def _allowed(project: str | None) -> str | None:
    """Returns the project that is asked for; raises `Forbidden` when the visitor may not see it."""
    if project is not None:
        current().need_project(project)
    return project


async def _oldest(store: Store, project: str | None) -> str | None:
    page = await store.list(Query(project=project, limit=1, order="oldest"), current().projects)
    return page.items[0].start_time if page.items else None


async def _unsafe(store: Store, asked: PatternFilter, since: str, until: str) -> list[Summary]:
    query = Query(project=asked.project, verdict="unsafe", since=since, until=until, limit=READ)
    page = await store.list(query, current().projects)
    return list(page.items)


def _cut(low: int, high: int, parts: int) -> list[tuple[int, int]]:
    """Cuts a span of time into equal parts, without gap or overlap."""
    parts = max(1, min(parts, high - low + 1))
    edges = [low + (high + 1 - low) * at // parts for at in range(parts + 1)]
    return [(begin, end - 1) for begin, end in pairwise(edges)]


def _flows(rows: Sequence[Summary]) -> tuple[Flow, ...]:
    counts = Counter((row.risk_source, row.failure_mode, row.real_world_harm) for row in rows)
    return tuple(
        Flow(count=count, risk_source=where, failure_mode=how, real_world_harm=what)
        for (where, how, what), count in counts.most_common()
    )


async def _busy(
    store: Store, project: str | None, kind: str, names: Sequence[Sequence[str]], span: tuple[int, int]
) -> tuple[Busy, ...]:
    """Sets incidents against all runs of an agent or a tool; the most incidents first."""
    unsafe = Counter(name for each in names for name in set(each) if name)
    top = [name for name, _ in unsafe.most_common(_BUSIEST)]
    runs = await store.tally(project, [facet(kind, name) for name in top], [span], current().projects)
    return tuple(Busy(name=name, runs=runs[facet(kind, name)][0], unsafe=unsafe[name]) for name in top)


def _cases(rows: Sequence[Summary]) -> tuple[Case, ...]:
    groups: dict[tuple[object, ...], list[Summary]] = {}
    for row in rows:
        request = _DIGITS.sub("#", " ".join(row.title.casefold().split()))
        key = (row.risk_source, row.failure_mode, row.real_world_harm, row.agents, row.tools, request)
        groups.setdefault(key, []).append(row)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group[0].start_time))[:_GROUPS]
    return tuple(
        Case(
            count=len(group),
            first=min(row.start_time for row in group),
            last=max(row.start_time for row in group),
            examples=tuple(group[:_EXAMPLES]),
        )
        for group in ordered
    )
