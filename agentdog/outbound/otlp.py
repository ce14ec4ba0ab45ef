"""Evaluation results to an OTLP receiver, over HTTP (protobuf, gzip) or gRPC.

Not the SDK's exporters: they retry on their own, in memory, and keep the reason of a failure to a log line, while here
the outbox decides when another try is due and people are shown why one is. The messages are the same bytes.

Invariant: a receiver that has no logs (Phoenix, Langfuse) or no traces is no failure while it takes the other; the
answer's note says so.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import grpc
import httpx
from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentdog.base.errors import UsageError
from agentdog.outbound.evaluations import Evaluation
from agentdog.outbound.notifier import Answer
from agentdog.spans.otlp_encode import encode_logs, encode_traces

Signals = Literal["both", "traces", "logs"]
Protocol = Literal["http/protobuf", "grpc"]

_SETTING = "AGENTDOG_OUTBOUND__OTLP__ENDPOINT"
#: HTTP answers that say: this signal is not taken here.
_NO_SUCH_SIGNAL = (404, 405, 501)
_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_RESPONSES: dict[str, Any] = {"traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse}


class _NotTaken(Exception):  # noqa: N818 - a state of the receiver
    """The receiver has no such signal."""


class _Failed(Exception):  # noqa: N818 - a state of one try
    def __init__(self, error: str, retry_after_s: float | None = None) -> None:
        super().__init__(error)
        self.retry_after_s = retry_after_s


def headers_of(text: str | None) -> dict[str, str]:
    """Reads ``key=value,key=value`` with percent-encoded values, as ``OTEL_EXPORTER_OTLP_HEADERS`` is written.

    Raises:
        UsageError: an entry has no ``=``.
    """
    found = {}
    for entry in (text or "").split(","):
        if not entry.strip():
            continue
        name, sign, value = entry.partition("=")
        if not sign or not name.strip():
            raise UsageError("AGENTDOG_OUTBOUND__OTLP__HEADERS: give name=value,name=value; values percent-encoded")
        found[name.strip().lower()] = unquote(value.strip())
    return found


class OtlpSender:
    """Sends evaluations to one receiver.

    Args:
        endpoint: base address, as in ``OTEL_EXPORTER_OTLP_ENDPOINT``; paths ``/v1/traces`` and ``/v1/logs`` are added.
        protocol: ``http/protobuf`` or ``grpc``.
        headers: of every request, see `headers_of`.
        signals: spans, log records, or both.
        timeout_s: for one request.
        secure: how a gRPC connection is encrypted where the address says https.

    Raises:
        UsageError: the endpoint is no address.
    """

    name = "otlp"

    def __init__(
        self,
        endpoint: str,
        *,
        protocol: Protocol = "http/protobuf",
        headers: Mapping[str, str] | None = None,
        signals: Signals = "both",
        timeout_s: float = 10.0,
        secure: grpc.ChannelCredentials | None = None,
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{_SETTING}: give an address like http://127.0.0.1:4318")
        self._endpoint = endpoint.rstrip("/")
        self._signals: tuple[str, ...] = ("traces", "logs") if signals == "both" else (signals,)
        self._headers, self._timeout_s = dict(headers or {}), timeout_s
        self._http: httpx.AsyncClient | None = None
        self._channel: grpc.aio.Channel | None = None
        if protocol == "http/protobuf":
            self._http = httpx.AsyncClient(timeout=timeout_s, trust_env=False)
            return
        target = f"{parts.hostname}:{parts.port or 4317}"
        credentials = secure or grpc.ssl_channel_credentials()
        make = grpc.aio.insecure_channel
        self._channel = make(target) if parts.scheme == "http" else grpc.aio.secure_channel(target, credentials)

    async def close(self) -> None:
        """Closes connections."""
        if self._http is not None:
            await self._http.aclose()
        if self._channel is not None:
            await self._channel.close()

    async def send(self, found: Sequence[Evaluation]) -> Answer:
        """Sends evaluations; raises nothing."""
        spans = [each.span for each in found if each.span is not None]
        bodies = {"logs": encode_logs(each.log for each in found), "traces": encode_traces(spans) if spans else b""}
        notes, taken, refused = [], 0, 0
        for signal in self._signals:
            if not bodies[signal]:
                notes.append(f"{len(found)} verdicts have no span to stand beside: sent as logs at most")
                continue
            try:
                note = await self._export(signal, bodies[signal])
            except _NotTaken:
                notes.append(f"the receiver takes no {signal}")
                refused += 1
                continue
            except _Failed as failed:
                return Answer(ok=False, error=f"{signal}: {failed}", retry_after_s=failed.retry_after_s)
            taken += 1
            notes += [note] if note else []
        if refused and not taken:
            return Answer(ok=False, error="; ".join(notes))
        return Answer(ok=True, note="; ".join(notes) or None)

    async def _export(self, signal: str, body: bytes) -> str | None:
        """Sends one request; returns what the receiver says of records that it refused."""
        raw = await (self._over_http(signal, body) if self._http is not None else self._over_grpc(signal, body))
        try:
            partial: Any = _RESPONSES[signal].FromString(raw).partial_success
        except ProtobufError:
            return None
        refused = partial.rejected_spans if signal == "traces" else partial.rejected_log_records
        return f"{refused} {signal} refused: {partial.error_message}" if refused else None

    async def _over_http(self, signal: str, body: bytes) -> bytes:
        assert self._http is not None  # noqa: S101 - one of the two is there
        headers = {**self._headers, "content-type": "application/x-protobuf", "content-encoding": "gzip"}
        try:
            answer = await self._http.post(
                f"{self._endpoint}/v1/{signal}", content=gzip.compress(body, mtime=0), headers=headers
            )
        except httpx.HTTPError as error:
            raise _Failed(f"{type(error).__name__}: {error}"[:300]) from error
        if answer.status_code in _NO_SUCH_SIGNAL:
            raise _NotTaken
        if not answer.is_success:
            wait = answer.headers.get("retry-after", "")
            said = f"HTTP {answer.status_code} {answer.reason_phrase}".rstrip()
            raise _Failed(said, float(wait) if wait.isdecimal() else None)
        protobuf = answer.headers.get("content-type", "").startswith("application/x-protobuf")
        return answer.content if protobuf else b""

    async def _over_grpc(self, signal: str, body: bytes) -> bytes:
        assert self._channel is not None  # noqa: S101 - one of the two is there
        call = self._channel.unary_unary(_METHODS[signal])
        try:
            raw: bytes = await call(body, timeout=self._timeout_s, metadata=tuple(self._headers.items()))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise _NotTaken from error
            raise _Failed(f"gRPC {error.code().name}: {error.details()}"[:300]) from error
        return raw
