"""OTLP over HTTP: ``/v1/traces``, ``/v1/logs``, ``/v1/metrics``, and nothing else on that port.

Invariant: 200 means durable (or, for metrics, that they are counted and discarded on purpose).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from agentdog.base.errors import AgentDogError
from agentdog.service import bodies, otlp_answers
from agentdog.service.admission import Admission, Room
from agentdog.service.auth import Access, Authority
from agentdog.service.bodies import UnsupportedEncoding
from agentdog.service.intake import PROJECT_HEADER, Intake, Taken
from agentdog.service.metrics import Metrics
from agentdog.spans.allowance import Grow
from agentdog.spans.otlp import JSON, PROTOBUF, decode_logs, receive_traces
from agentdog.spans.records import Received

_log = logging.getLogger(__name__)
_CLIENT_LEFT = 499  # nginx's code; nobody reads it but our own count


def build_app(intake: Intake, metrics: Metrics, body_limit: int, authority: Authority, admission: Admission) -> FastAPI:
    """Builds the receiver's application; its only state is the store's."""
    app = FastAPI(
        title="agentdog OTLP receiver", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    receiver = _Receiver(intake, metrics, body_limit, authority, admission)

    @app.post("/v1/traces")
    async def traces(request: Request) -> Response:
        return await receiver.records(request, "traces", receive_traces, otlp_answers.traces)

    @app.post("/v1/logs")
    async def logs(request: Request) -> Response:
        return await receiver.records(request, "logs", decode_logs, otlp_answers.logs)

    @app.post("/v1/metrics")
    async def discarded(request: Request) -> Response:
        return await receiver.discard(request)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        media = otlp_answers.media_type(request.headers.get("content-type"))
        words = f"{error.detail}: POST to /v1/traces or /v1/logs"
        body = otlp_answers.encode(otlp_answers.plain_status(error.status_code, words), media)
        return Response(body, error.status_code, error.headers, media)

    return app


class _Receiver:
    def __init__(
        self, intake: Intake, metrics: Metrics, body_limit: int, authority: Authority, admission: Admission
    ) -> None:
        self._admission = admission
        self._authority = authority
        self._intake = intake
        self._metrics = metrics
        self._limit = body_limit

    async def records(
        self,
        request: Request,
        signal: str,
        decode: Callable[[bytes, str, Grow], Received],
        answer: Callable[[Taken], Any],
    ) -> Response:
        async def store(body: bytes, content_type: str, access: Access, room: Room) -> Any:  # noqa: ANN401 - protobuf
            grow = room.beside(len(body))
            decoded = decode(body, content_type, grow)
            project = request.headers.get(PROJECT_HEADER)
            return answer(await self._intake.take(decoded, project, access, body=body, grow=grow))

        return await self._answered(request, signal, store)

    async def discard(self, request: Request) -> Response:
        """Reads metrics away, so that an exporter that sends them along works without further settings."""

        async def forget(body: bytes, content_type: str, access: Access, room: Room) -> Any:  # noqa: ANN401
            self._metrics.discarded_bytes.inc(len(body))
            return ExportMetricsServiceResponse()

        return await self._answered(request, "metrics", forget)

    async def _answered(
        self, request: Request, signal: str, handle: Callable[[bytes, str, Access, Room], Any]
    ) -> Response:
        started = perf_counter()
        content_type = request.headers.get("content-type", "")
        media = otlp_answers.media_type(content_type)
        headers: dict[str, str] = {}
        try:
            access = await self._authority.access(request.headers.get("authorization"))
            access.need("ingest")  # before the body is read: strangers cost no memory
            self._admission.check()
            with self._admission.room() as room:
                body = await self._body(request, content_type, room)
                code, message = 200, await handle(body, content_type, access, room)
        except AgentDogError as error:
            code = otlp_answers.http_status(error)
            retry_s = otlp_answers.retry_seconds() if otlp_answers.is_transient(error) else None
            if retry_s is not None:
                headers["Retry-After"] = str(retry_s)
            if code == HTTPStatus.UNAUTHORIZED:
                headers["WWW-Authenticate"] = "Bearer"
            message = otlp_answers.error_status(error, retry_s)
            _log.log(logging.WARNING if retry_s else logging.INFO, "%s refused with %d: %s", signal, code, error)
        except ClientDisconnect:
            return Response(status_code=_CLIENT_LEFT)
        self._metrics.request(signal, "http", str(code), perf_counter() - started)
        return Response(otlp_answers.encode(message, media), code, headers, media)

    async def _body(self, request: Request, content_type: str, room: Room) -> bytes:
        if content_type.partition(";")[0].strip().lower() not in (PROTOBUF, JSON):
            raise UnsupportedEncoding(f"Content-Type {content_type[:40]!r} is not OTLP: send {PROTOBUF} or {JSON}")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limit:
            raise bodies.too_large(self._limit)
        encoding = request.headers.get("content-encoding", "")
        return await bodies.read(request.stream(), encoding, self._limit, room.grow)
