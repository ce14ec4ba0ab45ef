"""``POST /api/v1/check``: may this call be made?"""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from agentdog.service.api import bodies
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.respond import documented, reply
from agentdog.service.inline import Answer, Asked, Checker
from agentdog.service.metrics import Metrics


def build(checker: Checker, metrics: Metrics) -> APIRouter:
    """Builds the route over a checker."""
    router = APIRouter(route_class=ApiRoute, tags=["inline"])

    @router.post(
        "/check",
        summary="Decide on a call before it is made: allow, deny or review, within the caller's deadline",
        response_class=Response,
        responses=documented(Answer, "The decision; `by: on_not_evaluated` when nothing could be said in time."),
        openapi_extra=bodies.documented(Asked),
    )
    async def check(request: Request) -> Response:
        arrived = time.monotonic()
        try:
            asked = await bodies.read(request, Asked)
        except bodies.Refused as refused:
            return refused.response
        answer = await checker.check(asked, arrived=arrived)
        metrics.check(answer.decision, answer.by, answer.not_evaluated, time.monotonic() - arrived)
        return reply(answer)

    return router
