"""What a step was told by: the records that it was woven from, and where the values of its calls were seen before."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.provenance import ProvenanceIndex, Source
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.views import AnyId, Project, needed, step_at
from agentdog.spans import unit_of
from agentdog.spans.records import Record
from agentdog.store.contract import Store
from agentdog.trajectory import Trajectory


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """Spans and log records as they were decoded."""

    records: tuple[Record, ...]
    total: int


class Flow(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where one value of a call's arguments was seen before: first step per source, -1 the system prompt.

    `origin` is who said it first: ``system``, ``user``, ``trusted``, ``untrusted``; ``agent`` where nobody did before.
    """

    call: str
    argument: str
    value: str
    kind: str
    origin: str
    seen: dict[str, int] = {}


class Flows(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one step's calls."""

    flows: tuple[Flow, ...]


def build(store: Store) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["reading"])

    @router.get(
        "/records/{any_id:path}",
        summary="The spans and log records that told a step, or the whole run",
        response_class=Response,
        responses=documented(Records, "At most `limit` of them; `total` says how many there are."),
    )
    async def records(
        any_id: AnyId,
        step: Annotated[int | None, Param(ge=0, description="Index of the step, from 0.")] = None,
        limit: Annotated[int, Param(ge=1, le=2000, description="Records.")] = 200,
        project: Project = None,
    ) -> Response:
        stored = await needed(store, any_id, project)
        run = stored.trajectory
        steps = run.steps if step is None else (step_at(run, step),)
        found = await _records(store, run.project, {source for each in steps for source in each.sources}, step is None)
        return reply(Records(records=tuple(found[:limit]), total=len(found)))

    @router.get(
        "/flows/{any_id:path}",
        summary="Where the values of a step's calls came from",
        response_class=Response,
        responses=documented(Flows, "Every value that was traced, in order of the arguments."),
    )
    async def flows(
        any_id: AnyId,
        step: Annotated[int, Param(ge=0, description="Index of the step, from 0.")],
        project: Project = None,
    ) -> Response:
        stored = await needed(store, any_id, project)
        return reply(Flows(flows=flows_of(stored.trajectory, step_at(stored.trajectory, step).index)))

    return router


async def _records(store: Store, project: str, sources: set[str], everything: bool) -> list[Record]:
    """Returns the records of these sources, in order of time; with `everything`, of all their units."""
    units = {unit_of(source) for source in sources}
    seen: dict[str, Record] = {}
    for unit in sorted(units):
        for record in await store.gather(project, unit):
            seen.setdefault(record.id, record)
    kept = [r for r in seen.values() if (r.unit in units if everything else r.id in sources)]
    return sorted(kept, key=lambda r: (getattr(r, "start_ns", None) or getattr(r, "time_ns", 0), r.id))


def flows_of(trajectory: Trajectory, index: int) -> tuple[Flow, ...]:
    """Traces the values of one step's calls through everything before it."""
    seen = ProvenanceIndex()
    for agent in trajectory.agents.values():
        if agent.system:
            seen.add(agent.system, Source.SYSTEM, -1)
    for step in trajectory.steps[:index]:
        source = {"user": Source.USER, "environment": Source.UNTRUSTED}.get(step.role, Source.AGENT)
        seen.add("\n".join(t for t in (step.text, step.error) if t), source, step.index)
        for call in step.tool_calls:
            seen.add_arguments(call.arguments, Source.AGENT, step.index)
    return tuple(
        Flow(
            call=call.name,
            argument=trace.argument,
            value=trace.value.quote[:500],
            kind=str(trace.value.kind.value),
            origin=trace.origin.value,
            seen={source.value: at for source, at in trace.seen.items()},
        )
        for call in trajectory.steps[index].tool_calls
        for trace in seen.trace(call.arguments)
    )
