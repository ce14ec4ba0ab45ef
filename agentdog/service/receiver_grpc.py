"""OTLP over gRPC: the three ``Export`` calls; unlike HTTP, size and compression are the gRPC library's care.

Invariant: OK means durable. What may pass is UNAVAILABLE with ``RetryInfo`` in both trailers that exporters read; what
cannot is INVALID_ARGUMENT; too large is RESOURCE_EXHAUSTED without ``RetryInfo``, which forbids a retry.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from agentdog.base.errors import AgentDogError
from agentdog.service import otlp_answers
from agentdog.service.admission import Admission, Room
from agentdog.service.auth import Access, Authority, Forbidden, Unauthenticated
from agentdog.service.intake import PROJECT_HEADER, Intake, Taken
from agentdog.service.metrics import Metrics
from agentdog.spans.allowance import Grow
from agentdog.spans.otlp import PROTOBUF, decode_logs, receive_traces
from agentdog.spans.records import Received

_log = logging.getLogger(__name__)
_PACKAGE = "opentelemetry.proto.collector"
_STATUS_TRAILER = "grpc-status-details-bin"
_STREAMS = 64
_RETRY_TRAILER = "google.rpc.retryinfo-bin"  # what the official Python exporter reads


def build_server(intake: Intake, metrics: Metrics, body_limit: int, authority: Authority, admission: Admission) -> Any:  # noqa: ANN401 - grpc carries no types
    """Builds a server without ports; the caller adds one, starts and stops it."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", body_limit),
            # What has arrived lies in memory before anybody is asked: a connection may have so many requests under way.
            ("grpc.max_concurrent_streams", _STREAMS),
            ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a silent partner
        ],
        compression=None,
    )
    calls = _Calls(intake, metrics, authority, admission)
    services = (("trace.v1.Trace", calls.traces), ("logs.v1.Logs", calls.logs), ("metrics.v1.Metrics", calls.metrics))
    for name, call in services:
        # Bytes as they came: what does not parse is ours to answer (gRPC would say INTERNAL), span by span.
        export = grpc.unary_unary_rpc_method_handler(call, response_serializer=_serialize)
        handler = grpc.method_handlers_generic_handler(f"{_PACKAGE}.{name}Service", {"Export": export})
        server.add_generic_rpc_handlers((handler,))
    return server


def _serialize(message: Any) -> bytes:  # noqa: ANN401
    return bytes(message.SerializeToString())


class _Calls:
    def __init__(self, intake: Intake, metrics: Metrics, authority: Authority, admission: Admission) -> None:
        self._admission = admission
        self._authority = authority
        self._intake = intake
        self._metrics = metrics

    async def traces(self, request: bytes, context: Any) -> Any:  # noqa: ANN401
        return await self._records(request, context, "traces", receive_traces, otlp_answers.traces)

    async def logs(self, request: bytes, context: Any) -> Any:  # noqa: ANN401
        return await self._records(request, context, "logs", decode_logs, otlp_answers.logs)

    async def metrics(self, request: bytes, context: Any) -> Any:  # noqa: ANN401
        async def discard(access: Access, project: str | None, room: Room) -> Any:  # noqa: ANN401
            self._metrics.discarded_bytes.inc(len(request))
            return ExportMetricsServiceResponse()

        return await self._answered(request, context, "metrics", discard)

    async def _records(
        self,
        request: bytes,
        context: Any,  # noqa: ANN401
        signal: str,
        decode: Callable[[bytes, str, Grow], Received],
        answer: Callable[[Taken], Any],
    ) -> Any:  # noqa: ANN401
        async def store(access: Access, project: str | None, room: Room) -> Any:  # noqa: ANN401
            grow = room.beside(len(request))
            decoded = decode(request, PROTOBUF, grow)
            return answer(await self._intake.take(decoded, project, access, body=request, grow=grow))

        return await self._answered(request, context, signal, store)

    async def _answered(
        self,
        request: bytes,
        context: Any,  # noqa: ANN401
        signal: str,
        handle: Callable[[Access, str | None, Room], Awaitable[Any]],
    ) -> Any:  # noqa: ANN401
        started = perf_counter()
        code = grpc.StatusCode.OK
        said = dict(context.invocation_metadata())
        try:
            access = await self._authority.access(said.get("authorization"))
            access.need("ingest")
            self._admission.check()
            with self._admission.room() as room:
                room.grow(len(request))
                return await handle(access, said.get(PROJECT_HEADER), room)
        except AgentDogError as error:
            transient = otlp_answers.is_transient(error)
            code = _code(error)
            _log.log(logging.WARNING if transient else logging.INFO, "%s refused with %s: %s", signal, code.name, error)
            await context.abort(code, str(error), _trailers(error, transient))
        finally:
            self._metrics.request(signal, "grpc", code.name, perf_counter() - started)


def _code(error: AgentDogError) -> Any:  # noqa: ANN401 - grpc carries no types
    if isinstance(error, Unauthenticated):
        return grpc.StatusCode.UNAUTHENTICATED
    if isinstance(error, Forbidden):
        return grpc.StatusCode.PERMISSION_DENIED
    return grpc.StatusCode.UNAVAILABLE if otlp_answers.is_transient(error) else grpc.StatusCode.INVALID_ARGUMENT


def _trailers(error: AgentDogError, transient: bool) -> tuple[tuple[str, bytes], ...]:
    retry_s = otlp_answers.retry_seconds() if transient else None
    trailers = [(_STATUS_TRAILER, otlp_answers.error_status(error, retry_s).SerializeToString())]
    if retry_s is not None:
        trailers.append((_RETRY_TRAILER, otlp_answers.retry_info(retry_s).SerializeToString()))
    return tuple(trailers)
