"""The API's application: the read API, health, readiness, metrics."""

from __future__ import annotations

from pathlib import Path

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from agentdog import __version__
from agentdog.base.clock import SystemClock
from agentdog.base.errors import StoreUnavailable
from agentdog.guards import Guard
from agentdog.service.api import build_router
from agentdog.service.api.audit import Auditor
from agentdog.service.api.errors import Problem, error_response
from agentdog.service.api.gate import Gate, Visitor
from agentdog.service.auth import Authority
from agentdog.service.inline import Checker
from agentdog.service.metrics import CONTENT_TYPE, Metrics, StoreFigures, render
from agentdog.service.progress import stalls
from agentdog.service.redaction import Redactor
from agentdog.service.settings import AttributionSettings, JudgeSettings
from agentdog.store.contract import Store


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Whether requests would succeed and what waits is worked on, and why not; `stalled`: what does not advance."""

    ready: bool
    store: str
    detail: str | None = None
    stalled: tuple[str, ...] = ()


def build_app(  # noqa: PLR0913 - parts of one application, by name
    store: Store,
    guard: Guard,
    metrics: Metrics,
    authority: Authority,
    checker: Checker | None = None,
    *,
    local_only: bool = True,
    prices: JudgeSettings | None = None,
    attribution: AttributionSettings | None = None,
    redactor: Redactor | None = None,
    stall_s: float = 60.0,
    packs: Path | None = None,
    runs: Path | None = None,
) -> FastAPI:
    """Builds the application over an open store.

    `prices` are of a guard's tokens; `attribution` says who explains actions; `packs` is a folder of one's own, `runs`
    that of kept evaluations.
    """
    clock = SystemClock()
    began_ns = clock.now_ns()
    app = FastAPI(title="agentdog", version=__version__)
    app.include_router(
        build_router(
            store,
            guard,
            checker=checker,
            metrics=metrics,
            redactor=redactor,
            limits=prices,
            attribution=attribution,
            packs=packs,
            runs=runs,
        )
    )
    app.add_middleware(Gate, authority=authority, auditor=Auditor(store), local_only=local_only)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        message = f"{request.method} {request.url.path}: {error.detail}"
        problem = Problem(code=code, message=message, remedy="what can be asked is listed at /docs")
        return error_response(error.status_code, problem, dict(error.headers or {}))

    @app.get("/healthz", tags=["operations"], summary="This process runs", response_class=Response)
    async def healthz() -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    @app.get(
        "/readyz",
        tags=["operations"],
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

    @app.get("/metrics", tags=["operations"], summary="Prometheus metrics", response_class=Response)
    async def prometheus(access: Visitor) -> Response:
        if access.projects is not None or "read" not in access.rights:
            return error_response(403, Problem(code="forbidden", message="metrics are of all projects"))
        try:
            now_ns = SystemClock().now_ns()
            text = render(metrics, await StoreFigures.of(store, prices or JudgeSettings(), now_ns))
        except StoreUnavailable as error:
            return _json(Readiness(ready=False, store="unavailable", detail=str(error)), 503)
        return Response(text, media_type=CONTENT_TYPE)

    return app


def _json(value: msgspec.Struct, status: int) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")
