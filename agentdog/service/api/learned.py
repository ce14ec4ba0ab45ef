"""What a project has learned from its reviews, and which version of it decides.

Invariant: what changes which guard decides needs the role ``admin`` and is written to the audit log.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi import Query as Param

from agentdog.guards import Guard
from agentdog.guards.embedded.learned.model import MOST_BYTES, Learned, decode, encode
from agentdog.guards.embedded.learned.standing import Standing
from agentdog.service.api import bodies
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import Text
from agentdog.service.api.gate import Visitor, note
from agentdog.service.api.respond import documented, reply
from agentdog.service.learning import Learning
from agentdog.service.reviewing import Name
from agentdog.store.contract import Store


class Deciding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that says which version decides; ``null``: the guard without any."""

    project: Name
    version: Name | None = None


def build(store: Store, guard: Guard) -> APIRouter:
    """Builds the routes over a store and the guard in use."""
    router = APIRouter(route_class=ApiRoute, tags=["learning"])
    learning = Learning(store, guard)

    @router.get(
        "/learned",
        summary="What a project has learned: versions with their figures, which one decides, and why none does",
        response_class=Response,
        responses=documented(Standing, "`state` is active, off, drifted or outdated."),
    )
    async def standing(access: Visitor, project: Annotated[Text, Param(description="Its name.")]) -> Response:
        access.need("read")
        access.need_project(project)
        return reply(await learning.standing(project))

    @router.post(
        "/learned",
        summary="Keep a model that `agentdog learn` made, and let it decide where it is better",
        response_class=Response,
        responses=documented(Standing, "As it stands now."),
        openapi_extra=bodies.documented(Learned),
    )
    async def keep(
        access: Visitor, request: Request, activate: Annotated[bool, Param(description="Let it decide.")] = False
    ) -> Response:
        access.need("admin")
        try:
            model = await bodies.read(request, Learned, MOST_BYTES)
        except bodies.Refused as refused:
            return refused.response
        access.need_project(model.project)
        found = await learning.keep(decode(encode(model)), activate=activate)
        await note("learn", project=model.project, subject=f"{model.version}{', activated' * activate}")
        return reply(found)

    @router.post(
        "/learned/deciding",
        summary="Let a version decide, or none",
        response_class=Response,
        responses=documented(Standing, "As it stands now."),
        openapi_extra=bodies.documented(Deciding),
    )
    async def decide(access: Visitor, request: Request) -> Response:
        access.need("admin")
        try:
            body = await bodies.read(request, Deciding)
        except bodies.Refused as refused:
            return refused.response
        access.need_project(body.project)
        found = await (
            learning.off(body.project) if body.version is None else learning.activate(body.project, body.version)
        )
        await note("learn", project=body.project, subject=body.version or "off")
        return reply(found)

    return router
