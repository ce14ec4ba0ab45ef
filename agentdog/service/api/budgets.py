"""What guards may cost, and did cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.base.clock import SystemClock
from agentdog.service import budgets
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import Text
from agentdog.service.api.gate import Visitor
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.scope import reached
from agentdog.service.budgets import Budgets
from agentdog.service.settings import JudgeSettings
from agentdog.store.contract import Store


def build(store: Store, limits: JudgeSettings) -> APIRouter:
    """Builds the route over a store and what a guard may cost."""
    router = APIRouter(route_class=ApiRoute, tags=["alerts"])

    @router.get(
        "/budgets",
        summary="What guards may cost and did cost: tokens a minute, share of steps diagnosed, samples, price",
        response_class=Response,
        responses=documented(Budgets, "One entry per project, and what all together spent."),
    )
    async def spent(
        access: Visitor, project: Annotated[Text | None, Param(description="Of this project only.")] = None
    ) -> Response:
        access.need("read")
        names = sorted(await reached(store, access, project))
        return reply(await budgets.read(store, limits, names, SystemClock().now_ns()))

    return router
