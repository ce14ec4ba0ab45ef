"""Telemetry to a running sidecar, as an exporter sends it: OTLP over HTTP, protobuf, gzip, in bounded batches.

Invariant: `Sent` counts what the receiver answered for, never what was merely written to a socket. What may pass later
is sent again, after as long as the receiver asks (OTLP 1.11, "OTLP/HTTP Throttling"); what cannot pass is an error.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import msgspec
from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentdog.base.errors import OutsideError, UsageError
from agentdog.service.intake import PROJECT_HEADER
from agentdog.spans.otlp import PROTOBUF
from agentdog.spans.otlp_encode import encode_logs, encode_traces
from agentdog.spans.records import Log, Record, Span

_RECORDS = 512  # a batch processor's default (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)
_TRANSIENT = (429, 502, 503, 504)  # OTLP 1.11: the retryable answers
_TOO_LARGE = 413
_ATTEMPTS = 6
_TIMEOUT_S = 30.0
_LONGEST_WAIT_S = 60.0


class Sent(msgspec.Struct, kw_only=True):
    """What became of records: how many the receiver has, how many it refused, and its words on these."""

    records: int = 0
    rejected: int = 0
    messages: list[str] = []


class Sender:
    """Sends records to one receiver.

    Args:
        endpoint: base address of OTLP/HTTP, as in ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        project: whose the records are; None leaves it to the receiver.
        sleep: waits for seconds.
        token: shown to the receiver.
    """

    def __init__(
        self,
        endpoint: str,
        project: str | None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        token: str | None = None,
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--url: {endpoint!r} is not an address; give one like http://127.0.0.1:4318")
        self._endpoint = endpoint.rstrip("/")
        self._sleep = sleep
        headers = {"Content-Type": PROTOBUF, "Content-Encoding": "gzip"}
        if project is not None:
            headers[PROJECT_HEADER] = project
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        # The receiver is this machine's, or named on purpose: no proxy of the environment stands between.
        self._http = httpx.Client(headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        self.sent = Sent()

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def send(self, records: Sequence[Record]) -> Iterator[int]:
        """Sends records, and yields after each batch how many were in it.

        Raises:
            OutsideError: nobody answers, or the receiver stays unable.
            UsageError: the receiver refuses the request as such; the message is the receiver's.
        """
        spans = [record for record in records if isinstance(record, Span)]
        logs = [record for record in records if isinstance(record, Log)]
        for place in range(0, len(spans), _RECORDS):
            batch = spans[place : place + _RECORDS]
            self._spans(batch)
            yield len(batch)
        for place in range(0, len(logs), _RECORDS):
            part = logs[place : place + _RECORDS]
            self._logs(part)
            yield len(part)

    def _spans(self, batch: list[Span]) -> None:
        body = self._post("/v1/traces", encode_traces(batch), batch[0].id if len(batch) == 1 else None)
        if body is None:
            half = len(batch) // 2
            self._spans(batch[:half])
            self._spans(batch[half:])
            return
        partial = ExportTraceServiceResponse.FromString(body).partial_success
        self._count(len(batch), partial.rejected_spans, partial.error_message)

    def _logs(self, batch: list[Log]) -> None:
        body = self._post("/v1/logs", encode_logs(batch), batch[0].id if len(batch) == 1 else None)
        if body is None:
            half = len(batch) // 2
            self._logs(batch[:half])
            self._logs(batch[half:])
            return
        partial = ExportLogsServiceResponse.FromString(body).partial_success
        self._count(len(batch), partial.rejected_log_records, partial.error_message)

    def _count(self, records: int, rejected: int, message: str) -> None:
        self.sent.records += records - rejected
        self.sent.rejected += rejected
        if message:
            self.sent.messages.append(message)

    def _post(self, path: str, body: bytes, alone: str | None) -> bytes | None:
        """Returns the answer; None when the batch must be halved, which one that is `alone` cannot be."""
        packed = gzip.compress(body, mtime=0)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._http.post(self._endpoint + path, content=packed)
            except httpx.TransportError as error:
                raise OutsideError(
                    f"no receiver at {self._endpoint} ({error}); start one with `agentdog up`, or name it with --url"
                ) from error
            if answer.status_code == httpx.codes.OK:
                return answer.content
            if answer.status_code == _TOO_LARGE and alone is None:
                return None
            if answer.status_code not in _TRANSIENT:
                about = f" for {alone}" if alone else ""
                raise UsageError(f"{self._endpoint} answers {answer.status_code}{about}: {_words(answer)}")
            if attempt < _ATTEMPTS:
                self._sleep(_wait(answer, attempt))
        raise OutsideError(f"{self._endpoint} answered {answer.status_code} {_ATTEMPTS} times: {_words(answer)}")


def _wait(answer: httpx.Response, attempt: int) -> float:
    """Returns the seconds that the receiver asks for (RFC 9110, 10.2.3), else twice as long as the time before."""
    stated = answer.headers.get("Retry-After", "")
    wait = float(2 ** (attempt - 1))
    if stated.isdecimal():
        wait = float(stated)
    elif stated:
        with suppress(TypeError, ValueError):  # no date either: the receiver says nothing that we can follow
            wait = (parsedate_to_datetime(stated) - datetime.now(UTC)).total_seconds()
    return min(max(wait, 0.0), _LONGEST_WAIT_S)


def _words(answer: httpx.Response) -> str:
    """Returns what the receiver says is wrong."""
    if answer.headers.get("content-type", "").startswith(PROTOBUF):
        try:
            return str(Status.FromString(answer.content).message)
        except ProtobufError:
            return answer.reason_phrase
    return answer.text[:500] or answer.reason_phrase
