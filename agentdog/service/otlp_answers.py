"""What a receiver answers, as OTLP 1.11 (docs/specification.md, "OTLP/HTTP Response") words it.

Errors carry a ``google.rpc.Status`` in the request's content type. What may pass is 503 with ``Retry-After`` and
``RetryInfo``; what cannot pass by sending it again is 4xx: new exporters drop on 500, so 500 is left to defects.
"""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage  # type: ignore[import-untyped]
from google.protobuf.duration_pb2 import Duration  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToJson  # type: ignore[import-untyped]
from google.rpc.code_pb2 import (
    INVALID_ARGUMENT,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
)
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from agentdog.base.errors import AgentDogError, Overloaded, StoreUnavailable
from agentdog.service.auth import Forbidden, Unauthenticated
from agentdog.service.bodies import TooLarge, UnsupportedEncoding
from agentdog.service.intake import Taken
from agentdog.spans.otlp import JSON, PROTOBUF

#: Seconds between which a client is told to wait: spread, so that clients do not come back all at once.
_RETRY_S = (1, 2, 3)


#: Errors that name nothing wrong in the body.
_CODES: dict[type[AgentDogError], int] = {
    TooLarge: RESOURCE_EXHAUSTED,
    Unauthenticated: UNAUTHENTICATED,
    Forbidden: PERMISSION_DENIED,
}


def media_type(content_type: str | None) -> str:
    """Returns the type to answer in: the request's if it is OTLP's, else JSON, which people can read."""
    asked = (content_type or "").partition(";")[0].strip().lower()
    return PROTOBUF if asked == PROTOBUF else JSON


def encode(message: Any, media: str) -> bytes:  # noqa: ANN401 - protobuf classes carry no types
    """Writes a protobuf message in OTLP's protobuf or JSON."""
    if media == PROTOBUF:
        return bytes(message.SerializeToString())
    return str(MessageToJson(message, indent=None)).encode()


def traces(taken: Taken) -> Any:  # noqa: ANN401
    """Says what became of a trace request; ``partial_success`` stays unset when all was accepted."""
    if not taken.rejected:
        return ExportTraceServiceResponse()
    partial = ExportTracePartialSuccess(rejected_spans=taken.rejected, error_message=taken.message)
    return ExportTraceServiceResponse(partial_success=partial)


def logs(taken: Taken) -> Any:  # noqa: ANN401
    """Says what became of a log request."""
    if not taken.rejected:
        return ExportLogsServiceResponse()
    partial = ExportLogsPartialSuccess(rejected_log_records=taken.rejected, error_message=taken.message)
    return ExportLogsServiceResponse(partial_success=partial)


def http_status(error: AgentDogError) -> int:
    """Maps an error to HTTP: 401, 403, 413, 415, 503, else 400."""
    if isinstance(error, Unauthenticated):
        return 401
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, TooLarge):
        return 413
    if isinstance(error, UnsupportedEncoding):
        return 415
    return 503 if is_transient(error) else 400


def is_transient(error: AgentDogError) -> bool:
    """Tells whether the same request may succeed later."""
    return isinstance(error, StoreUnavailable | Overloaded)


def retry_seconds() -> int:
    """Draws how long a client should wait."""
    return random.choice(_RETRY_S)  # noqa: S311 - spreads load, keeps no secret


def error_status(error: AgentDogError, retry_s: int | None) -> Status:
    """Builds the ``Status`` of an error, with the detail that fits."""
    if retry_s is not None:
        return status(UNAVAILABLE, str(error), retry_info(retry_s))
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return status(code, str(error))
    violation = BadRequest(field_violations=[BadRequest.FieldViolation(field="body", description=str(error))])
    return status(INVALID_ARGUMENT, str(error), violation)


def plain_status(http: int, message: str) -> Status:
    """Builds the ``Status`` of a request that no handler saw (unknown path, wrong method)."""
    return status(UNIMPLEMENTED if http in (404, 405) else INVALID_ARGUMENT, message)


def status(code: int, message: str, detail: Any = None) -> Status:  # noqa: ANN401
    """Builds a ``Status`` with one detail packed."""
    built = Status(code=code, message=message)
    if detail is not None:
        packed = AnyMessage()
        packed.Pack(detail)
        built.details.append(packed)
    return built


def retry_info(seconds: int) -> RetryInfo:
    """Builds a ``RetryInfo``."""
    return RetryInfo(retry_delay=Duration(seconds=seconds))
