"""One shape for everything that goes wrong: ``{"error": {"code", "message", "field"?, "remedy"?}}``.

Invariant: no route of this router answers an error in any other shape, whoever raised it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from agentdog.base.errors import AgentDogError, NotFoundError, Overloaded, StoreUnavailable, UsageError
from agentdog.service.auth import Forbidden, Unauthenticated

#: Seconds after which a client may try again; a restart of the bundled store is over by then as a rule.
RETRY_AFTER_S = 2


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What went wrong.

    Attributes:
        code: for programs: invalid_value, unauthenticated, forbidden, not_found, method_not_allowed, store_unavailable,
            overloaded, unavailable.
        message: one sentence for people.
        field: the parameter that is wrong, where there is one.
        remedy: what mends it; for a value from a closed list, the allowed values.
    """

    code: str
    message: str
    field: str | None = None
    remedy: str | None = None


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not 2xx."""

    error: Problem


def error_response(status: int, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Encodes a problem; also for middleware outside this router (authentication, limits)."""
    body = msgspec.json.encode(ErrorBody(error=problem))
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def _from_validation(error: RequestValidationError) -> Response:
    """Turns FastAPI's first complaint into our shape: the field is the parameter's name."""
    first = error.errors()[0]
    field, message = str(first["loc"][-1]), str(first["msg"])
    context = first.get("ctx") or {}
    remedy = context.get("remedy") or "the parameters and their values are listed at /docs"
    if "expected" in context:  # a value outside a closed list
        message, remedy = f"{first['input']!r} is unknown", f"use one of: {context['expected']}"
    elif first["type"] == "extra_forbidden":
        message = "no such parameter"
    return error_response(400, Problem(code="invalid_value", message=f"{field}: {message}", field=field, remedy=remedy))


def from_ours(error: AgentDogError) -> Response:  # noqa: PLR0911 - one return per kind of error
    """Maps the one exception tree to HTTP, as its docstring says."""
    retry = {"Retry-After": str(RETRY_AFTER_S)}
    if isinstance(error, NotFoundError):
        return error_response(404, Problem(code="not_found", message=str(error)))
    if isinstance(error, Unauthenticated):
        problem = Problem(code="unauthenticated", message=str(error), remedy="see docs/operating.md, Tokens")
        return error_response(401, problem, {"WWW-Authenticate": "Bearer"})
    if isinstance(error, Forbidden):
        return error_response(403, Problem(code="forbidden", message=str(error)))
    if isinstance(error, UsageError):
        return error_response(400, Problem(code="invalid_value", message=str(error)))
    if isinstance(error, StoreUnavailable):
        remedy = "try again; `agentdog doctor` says what is wrong with the store"
        return error_response(503, Problem(code="store_unavailable", message=str(error), remedy=remedy), retry)
    if isinstance(error, Overloaded):
        return error_response(503, Problem(code="overloaded", message=str(error), remedy="try again"), retry)
    return error_response(503, Problem(code="unavailable", message=str(error), remedy="run `agentdog doctor`"), retry)


class ApiRoute(APIRoute):
    """A route whose errors have the one shape, without handlers on the application that mounts it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wraps FastAPI's handler."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except RequestValidationError as error:
                return _from_validation(error)
            except AgentDogError as error:
                return from_ours(error)

        return handle
