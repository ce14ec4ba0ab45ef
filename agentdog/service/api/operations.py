"""What an operator asks: which projects there are, whether every record is accounted for, who judges, which labels."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.guards import Guard, GuardInfo, Health
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import TaxonomyFilter
from agentdog.service.api.gate import Visitor
from agentdog.service.api.respond import documented, reply
from agentdog.service.auth import Access, Forbidden
from agentdog.spans import ScopeStats, content_stats
from agentdog.store.contract import Store
from taxonomy import Taxonomy, load

#: Traces and sessions that are looked at to say what each instrumentation carries; all of them would take minutes.
SAMPLED_UNITS = 200


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by project."""

    projects: Mapping[str, Mapping[str, int]]


class Scopes(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the telemetry of each instrumentation, in a sample of what is stored."""

    scopes: tuple[ScopeStats, ...]


class GuardStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The guard in use, and whether it would answer now."""

    info: GuardInfo
    health: Health


def _seen(access: Access, counts: Mapping[str, Mapping[str, int]]) -> Mapping[str, Mapping[str, int]]:
    return {project: counts[project] for project in access.within(counts)}


def build(store: Store, guard: Guard) -> APIRouter:
    """Builds the routes over a store and the guard that is asked."""
    router = APIRouter(route_class=ApiRoute, tags=["operations"])

    @router.get(
        "/taxonomy",
        summary="The three axes: where, how, what",
        response_class=Response,
        responses=documented(Taxonomy, "Every label with its name and definition."),
    )
    async def taxonomy(access: Visitor, filters: Annotated[TaxonomyFilter, Param()]) -> Response:
        access.need("read")
        return reply(load(filters.overlay))

    @router.get(
        "/projects",
        summary="Trajectories by project and verdict",
        response_class=Response,
        responses=documented(Counts, "Counts of trajectories by shown verdict."),
    )
    async def projects(access: Visitor) -> Response:
        access.need("read")
        return reply(Counts(projects=_seen(access, await store.projects())))

    @router.get(
        "/accounting",
        summary="Records by project: received = stored + duplicate + rejected + pending",
        response_class=Response,
        responses=documented(Counts, "Counts of received records by what became of them."),
    )
    async def accounting(access: Visitor) -> Response:
        access.need("read")
        return reply(Counts(projects=_seen(access, await store.accounting())))

    @router.get(
        "/scopes",
        summary="Records by instrumentation: understood, without content, unknown; with the reason and the mend",
        response_class=Response,
        responses=documented(Scopes, f"Counts over a sample of {SAMPLED_UNITS} traces and sessions."),
    )
    async def scopes(access: Visitor) -> Response:
        access.need("read")
        if access.projects is not None:
            raise Forbidden("the sample is of all projects, and this token is not for all of them")
        sample = await store.sample(SAMPLED_UNITS)
        return reply(Scopes(scopes=await asyncio.to_thread(content_stats, sample)))

    @router.get(
        "/guard",
        summary="Who judges, and whether it would answer now",
        response_class=Response,
        responses=documented(GuardStatus, "A guard that does not answer is `ok: false` with what mends it."),
    )
    async def guard_status(access: Visitor) -> Response:
        access.need("read")
        return reply(GuardStatus(info=guard.info, health=await guard.health()))

    return router
