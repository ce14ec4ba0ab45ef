"""Request bodies: JSON into the contract's own structs, with errors in the one shape.

Invariant: a body is read whole only up to a bound; what does not fit is refused naming the field.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response

from agentdog.service.api.errors import Problem, error_response
from agentdog.service.api.respond import schema_of

T = TypeVar("T")
MAX_BYTES = 32 << 20
_PLACE = re.compile(r" - at `\$\.?(.*)`$")


class Refused(Exception):  # noqa: N818 - carries the answer
    """A body that is not read further, and the response that says why."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


async def read(request: Request, kind: type[T], limit: int = MAX_BYTES) -> T:
    """Reads a request's body.

    Raises:
        Refused: too large, no JSON, or not of this shape.
    """
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            problem = Problem(code="too_large", message=f"the body is larger than {limit} bytes", remedy="send less")
            raise Refused(error_response(413, problem))
    try:
        return msgspec.json.decode(bytes(raw), type=kind)
    except msgspec.ValidationError as error:
        raise Refused(error_response(400, _fault(str(error)))) from error
    except (msgspec.DecodeError, RecursionError) as error:
        problem = Problem(code="invalid_value", message=f"the body is no JSON: {error}", remedy="send a JSON object")
        raise Refused(error_response(400, problem)) from error


def _fault(message: str) -> Problem:
    place = _PLACE.search(message)
    field = place[1] if place else ""
    words = _PLACE.sub("", message)
    for told in (r"missing required field `([^`]+)`", r"unknown field `([^`]+)`"):
        named = re.search(told, words)
        if named:
            field = f"{field}.{named[1]}" if field else named[1]
    remedy = "the body's fields and their values are listed at /docs"
    return Problem(
        code="invalid_value", message=f"{field}: {words}" if field else words, field=field or None, remedy=remedy
    )


def documented(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - any type msgspec knows
    """Returns FastAPI's ``openapi_extra`` for a route that reads `kind`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(kind)}}}}
