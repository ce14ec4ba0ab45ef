"""Saved views of the list: read by who may read their project, written by who may review in it.

Invariant: a view's filters are checked as the list's own are, so that none is kept which the list would refuse.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi import Query as Param
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.base.errors import NotFoundError, UsageError
from agentdog.service.api import bodies
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import TrajectoryFilter
from agentdog.service.api.gate import Visitor, note, signed
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.views import Project
from agentdog.service.auth import Access, Forbidden
from agentdog.service.reviewing import Name
from agentdog.store.contract import Store
from agentdog.store.saved import MAX_VIEWS, Filters, SavedView

_ViewName = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class Saving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that saves a view.

    Attributes:
        name: what people call it.
        filters: what it shows.
        author: who saves it; with tokens, the token's name holds instead.
        replace: a view of that name may go.
    """

    name: _ViewName
    filters: Filters
    author: Name = "someone"
    replace: bool = False


class SavedViewList(msgspec.Struct, frozen=True, kw_only=True):
    """Views, by project and name."""

    items: tuple[SavedView, ...]


def build(store: Store, clock: Clock | None = None) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["trajectories"])
    _reading(router, store)
    _writing(router, store, clock or SystemClock())
    return router


def _reading(router: APIRouter, store: Store) -> None:
    @router.get(
        "/saved-views",
        summary="Saved views of the list, shared by all who may see their project",
        response_class=Response,
        responses=documented(SavedViewList, "Those of one project, or all that you may see."),
    )
    async def views(access: Visitor, project: Project = None) -> Response:
        if project is not None:
            access.need_project(project)
        found = await store.saved_views()
        seen = (view for view in found if _may_see(access, view.project))
        return reply(SavedViewList(items=tuple(view for view in seen if project in (None, view.project))))


def _writing(router: APIRouter, store: Store, clock: Clock) -> None:
    @router.post(
        "/saved-views",
        summary="Save a view of the list under a name",
        response_class=Response,
        responses=documented(SavedView, "The view as it is kept."),
        openapi_extra=bodies.documented(Saving),
    )
    async def save(access: Visitor, request: Request) -> Response:
        try:
            asked = await bodies.read(request, Saving)
        except bodies.Refused as refused:
            return refused.response
        filters = _checked(asked.filters)
        _need(access, filters.project)
        known = [view for view in await store.saved_views() if view.project == filters.project]
        name = asked.name.strip()
        if not name:
            raise UsageError("name: what is the view to be called?")
        if len(known) >= MAX_VIEWS and all(view.name != name for view in known):
            raise UsageError(f"name: there are {MAX_VIEWS} views already; delete one that nobody needs")
        view = SavedView(name=name, filters=filters, author=signed(asked.author), saved=rfc3339(clock.now_ns()))
        if not await store.save_view(view, replace=asked.replace):
            raise UsageError(f"name: a view {name!r} is there already; choose another name, or give replace=true")
        await note("save view", project=view.project, subject=name)
        return reply(view)

    @router.delete(
        "/saved-views",
        summary="Delete a saved view",
        response_class=Response,
        responses=documented(SavedViewList, "The views of its project that are left."),
    )
    async def delete(
        access: Visitor,
        name: Annotated[str, Param(min_length=1, description="The view's name.")],
        project: Annotated[
            str | None, Param(min_length=1, description="The project that it shows; leave it out for one of all.")
        ] = None,
    ) -> Response:
        _need(access, project)
        if not await store.delete_views(project, [name]):
            raise NotFoundError(f"no view of {project or 'all projects'} is called {name!r}")
        await note("delete view", project=project, subject=name)
        left = await store.saved_views()
        return reply(SavedViewList(items=tuple(view for view in left if view.project == project)))


def _checked(filters: Filters) -> Filters:
    """Reads filters as the list would.

    Raises:
        RequestValidationError: one that the list refuses.
        UsageError: two spans of time.
    """
    if filters.last_s is not None and (filters.since or filters.until):
        raise UsageError("filters.last_s: give it, or since and until, not both")
    given = {name: value for name, value in msgspec.to_builtins(filters).items() if name != "last_s"}
    try:
        TrajectoryFilter.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    return filters


def _may_see(access: Access, project: str | None) -> bool:
    return access.projects is None if project is None else access.may_see(project)


def _need(access: Access, project: str | None) -> None:
    if project is not None:
        access.need_project(project)
    elif access.projects is not None:
        raise Forbidden("filters.project: this token is for some projects; name the one that the view is for")
