"""Why a step came about: asked for, and read when it is there."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response

from agentdog.attribution import Asked, Mode, Target, Way
from agentdog.guards import Guard
from agentdog.service import attributing
from agentdog.service.api import bodies
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import note
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.views import AnyId, Project, needed
from agentdog.service.reviewing import Name
from agentdog.service.settings import AttributionSettings
from agentdog.store.contract import Store


class Why(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that asks why.

    Attributes:
        trajectory_id: any id of the run.
        target: what moved the guard's verdict, or the agent's action (which needs the setting of a model).
        step: index of the explained step, from 0; without it the first open incident's onset, else the agent's last.
        mode: definitions of an action's scores; left out, like the two below, as the settings say.
        top_k: leading steps that are cut into sentences.
        attention: add where the model looks.
        project: look there only.
        again: have it computed anew.
    """

    trajectory_id: Name
    target: Target = "verdict"
    step: Annotated[int, msgspec.Meta(ge=0)] | None = None
    mode: Mode | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    attention: bool = False
    project: Name | None = None
    again: bool = False


class Attributions(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was asked about a run, by step; `no_model` says what to set where actions cannot be explained."""

    items: tuple[Asked, ...]
    no_model: str | None = None


def build(store: Store, guard: Guard, settings: AttributionSettings) -> APIRouter:
    """Builds the routes over a store; who computes is a worker."""
    router = APIRouter(route_class=ApiRoute, tags=["analyses"])

    @router.post(
        "/attributions",
        summary="Ask which text moved the verdict on a step, or the agent's action; it is computed later, and kept",
        response_class=Response,
        responses=documented(Asked, "There already.")
        | {202: documented(Asked, "It is `pending`: a worker computes it.")[200]},
        openapi_extra=bodies.documented(Why),
    )
    async def asked(request: Request) -> Response:
        try:
            body = await bodies.read(request, Why)
        except bodies.Refused as refused:
            return refused.response
        stored = await needed(store, body.trajectory_id, body.project)
        await note("ask for attribution", project=stored.summary.project, subject=stored.summary.id)
        usual = attributing.usual(settings)
        way = Way(
            mode=body.mode or usual.mode,
            top_k=usual.top_k if body.top_k is None else body.top_k,
            attention=body.attention,
        )
        found = await attributing.ask(
            store, guard, settings, stored, target=body.target, step=body.step, way=way, again=body.again
        )
        answer = reply(found)
        answer.status_code = 202 if found.state == "pending" else 200
        return answer

    @router.get(
        "/attributions/{any_id:path}",
        summary="Which text moved a run's verdicts and actions, as far as somebody asked",
        response_class=Response,
        responses=documented(Attributions, "The newest of each step and target; scores are of text, untrusted."),
    )
    async def listed(any_id: AnyId, project: Project = None) -> Response:
        stored = await needed(store, any_id, project)
        await note("attributions", project=stored.summary.project, subject=stored.summary.id)
        found = await store.attributions(stored.summary.project, stored.summary.id)
        return reply(
            Attributions(items=tuple(found), no_model=attributing.NO_MODEL if settings.model is None else None)
        )

    return router
