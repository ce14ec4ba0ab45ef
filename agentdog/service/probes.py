"""What orchestrators and Prometheus ask: whether this process runs, whether it would serve, and its metrics."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Response

from agentdog.base.clock import SystemClock
from agentdog.base.errors import StoreUnavailable
from agentdog.service.api.errors import Problem, error_response
from agentdog.service.api.gate import Visitor
from agentdog.service.metrics import CONTENT_TYPE, Metrics, StoreFigures, render
from agentdog.service.progress import stalls
from agentdog.service.settings import JudgeSettings
from agentdog.store.contract import Store


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Whether requests would succeed and what waits is worked on, and why not; `stalled`: what does not advance."""

    ready: bool
    store: str
    detail: str | None = None
    stalled: tuple[str, ...] = ()


def build(store: Store, metrics: Metrics, prices: JudgeSettings, *, stall_s: float) -> APIRouter:
    """Builds the routes; `prices` are of a guard's tokens, `stall_s` is how long a lane may stand still."""
    router = APIRouter(tags=["operations"])
    clock = SystemClock()
    began_ns = clock.now_ns()

    @router.get("/healthz", summary="This process runs", response_class=Response)
    async def healthz() -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    @router.get(
        "/readyz",
        summary="Requests would succeed, workers advance",
        response_class=Response,
    )
    async def readyz() -> Response:
        try:
            said = await store.ping()
            waiting, progress = await store.waiting(), await store.progress()
        except StoreUnavailable as error:
            return _json(Readiness(ready=False, store="unavailable", detail=str(error)), 503)
        server = f"{said['server']} {said['version']}"
        stalled = stalls(waiting, progress, now_ns=clock.now_ns(), stall_s=stall_s, since_ns=began_ns)
        if stalled:
            return _json(Readiness(ready=False, store=server, stalled=tuple(map(str, stalled))), 503)
        return _json(Readiness(ready=True, store=server), 200)

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def prometheus(access: Visitor) -> Response:
        if access.projects is not None or "read" not in access.rights:
            return error_response(403, Problem(code="forbidden", message="metrics are of all projects"))
        try:
            now_ns = clock.now_ns()
            text = render(metrics, await StoreFigures.of(store, prices, now_ns))
        except StoreUnavailable as error:
            return _json(Readiness(ready=False, store="unavailable", detail=str(error)), 503)
        return Response(text, media_type=CONTENT_TYPE)

    return router


def _json(value: msgspec.Struct, status: int) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")
