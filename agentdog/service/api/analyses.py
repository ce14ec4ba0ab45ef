"""Written analyses: asked for, and read when they are there."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response

from agentdog.diagnosis import Analysis
from agentdog.service import explaining
from agentdog.service.api import bodies
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import note
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.views import AnyId, Project, needed
from agentdog.service.reviewing import Name
from agentdog.store.contract import Store


class Asking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that asks for an analysis.

    Attributes:
        trajectory_id: any id of the run.
        step: index of a judged step, from 0; without it the first open incident's onset, else the likeliest unsafe one.
        project: look there only.
        again: have it written anew.
    """

    trajectory_id: Name
    step: Annotated[int, msgspec.Meta(ge=0)] | None = None
    project: Name | None = None
    again: bool = False


class AnalysisList(msgspec.Struct, frozen=True, kw_only=True):
    """Analyses of a run, by step."""

    items: tuple[Analysis, ...]


def build(store: Store) -> APIRouter:
    """Builds the routes over a store; who writes is a worker."""
    router = APIRouter(route_class=ApiRoute, tags=["analyses"])

    @router.post(
        "/analyses",
        summary="Ask for the written analysis of one judged step; it is written later, and kept",
        response_class=Response,
        responses=documented(Analysis, "As it stands: `pending`, or written already."),
        openapi_extra=bodies.documented(Asking),
    )
    async def asked(request: Request) -> Response:
        try:
            body = await bodies.read(request, Asking)
        except bodies.Refused as refused:
            return refused.response
        stored = await needed(store, body.trajectory_id, body.project)
        await note("ask for analysis", project=stored.summary.project, subject=stored.summary.id)
        return reply(await explaining.ask(store, stored, body.step, again=body.again))

    @router.get(
        "/analyses/{any_id:path}",
        summary="What guards wrote about a run's steps, or are to write",
        response_class=Response,
        responses=documented(AnalysisList, "The newest of each step; the texts are a model's own words."),
    )
    async def listed(any_id: AnyId, project: Project = None) -> Response:
        stored = await needed(store, any_id, project)
        return reply(AnalysisList(items=tuple(await store.analyses(stored.summary.project, stored.summary.id))))

    return router
