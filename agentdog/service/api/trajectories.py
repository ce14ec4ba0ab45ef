"""The list of runs, one run by any id, and what happened since."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import EventFilter, TrajectoryFilter
from agentdog.service.api.gate import Visitor
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.views import AnyId, Project, needed
from agentdog.store.contract import FeedPage, Page, Store, Stored


def build(store: Store) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["trajectories"])

    @router.get(
        "/trajectories",
        summary="List trajectories, newest first or in another order",
        response_class=Response,
        responses=documented(Page, "One page; ask again with `cursor` set to `next` until it is absent."),
    )
    async def trajectories(access: Visitor, filters: Annotated[TrajectoryFilter, Param()]) -> Response:
        access.need("read")
        if filters.project is not None:
            access.need_project(filters.project)
        return reply(await store.list(filters.query(), access.projects))

    @router.get(
        "/trajectories/{any_id:path}",
        summary="One trajectory with its diagnosis, by any id in it",
        response_class=Response,
        responses=documented(Stored, "The run as it is known now; `diagnosis` is absent until the first verdict."),
    )
    async def trajectory(any_id: AnyId, project: Project = None) -> Response:
        return reply(await needed(store, any_id, project))

    @router.get(
        "/events",
        summary="What happened after a cursor, oldest first",
        response_class=Response,
        responses=documented(FeedPage, "Ask again from `cursor`; without `since` it is where the feed stands now."),
    )
    async def events(access: Visitor, filters: Annotated[EventFilter, Param()]) -> Response:
        access.need("read")
        page = await store.feed(filters.since, limit=filters.limit)
        seen = tuple(event for event in page.events if access.may_see(event.project))
        return reply(msgspec.structs.replace(page, events=seen))

    return router
