"""What each detector of the embedded guard looked at in a step."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.base.errors import UsageError
from agentdog.guards import Guard
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.looks import Look
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import note
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.views import AnyId, Project, needed
from agentdog.store.contract import Store
from agentdog.trajectory import Header


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """What every detector of the embedded guard looked at in one agent step, the quiet ones too."""

    trajectory_id: str
    step: int
    items: tuple[Look, ...]


def build(store: Store, guard: Guard) -> APIRouter:
    """Builds the route over a store; another guard than the embedded one is stood in for by it."""
    router = APIRouter(route_class=ApiRoute, tags=["learning"])
    base = guard if isinstance(guard, EmbeddedGuard) else EmbeddedGuard()

    @router.get(
        "/looks/{any_id:path}",
        summary="What each detector of the embedded guard looked at in a step, the quiet ones too",
        response_class=Response,
        responses=documented(Looks, "`weight` is 0 where a detector stayed quiet."),
    )
    async def looks(
        any_id: AnyId,
        step: Annotated[int, Param(ge=0, description="An agent's step, from 0.")],
        project: Project = None,
    ) -> Response:
        run = (await needed(store, any_id, project)).trajectory
        if step >= len(run.steps) or run.steps[step].role != "agent":
            raise UsageError(f"step {step}: no step of the agent; detectors look at what an agent says and does")
        await note("looks", project=run.project, subject=run.id)
        found = await asyncio.to_thread(base.looks, Header.of(run), run.steps[: step + 1])
        return reply(Looks(trajectory_id=run.id, step=step, items=found))

    return router
