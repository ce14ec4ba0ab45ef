"""The API's application: the routes, who may use them, what is said where there is none."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from agentdog import __version__
from agentdog.guards import Guard
from agentdog.service import probes
from agentdog.service.api import build_router
from agentdog.service.api.audit import Auditor
from agentdog.service.api.errors import Problem, error_response
from agentdog.service.api.gate import Gate
from agentdog.service.auth import Authority
from agentdog.service.inline import Checker
from agentdog.service.metrics import Metrics
from agentdog.service.redaction import Redactor
from agentdog.service.settings import AttributionSettings, JudgeSettings
from agentdog.store.contract import Store


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
    _refuse_unknown_routes(app)
    app.include_router(probes.build(store, metrics, prices or JudgeSettings(), stall_s=stall_s))
    return app


def _refuse_unknown_routes(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        message = f"{request.method} {request.url.path}: {error.detail}"
        problem = Problem(code=code, message=message, remedy="what can be asked is listed at /docs")
        return error_response(error.status_code, problem, dict(error.headers or {}))
