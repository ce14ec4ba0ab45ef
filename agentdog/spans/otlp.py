"""OTLP bodies in, records out: the receiver's hot path.

Protobuf and JSON end in the same records. Invariant: a record's id depends on nothing but the record, so one that is
sent again is the same record. Obligations are those of OTLP 1.11 (docs/specification.md): ids in JSON are hex in either
case, 64-bit integers strings or numbers, enums integers, unknown fields ignored. ``json_format`` is not used: it reads
the hex ids as base64.

Errors: a body that cannot be read raises `DecodeError`; a span or record that breaks the data model becomes a
`Rejection` whose reason names the field, and its neighbours are kept; so does one that alone cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from agentdog.base.errors import DecodeError
from agentdog.spans import otlp_json, otlp_protobuf, otlp_salvage
from agentdog.spans.records import Decoded, Received, Sealed, Span

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

T = TypeVar("T", bound=Received)


def decode_traces(body: bytes, content_type: str) -> Decoded:
    """Reads an ``ExportTraceServiceRequest``.

    Args:
        body: the request's body, already inflated.
        content_type: ``application/x-protobuf`` or ``application/json``, parameters allowed.

    Returns:
        Its spans in order, and what of it was refused.

    Raises:
        DecodeError: the body is not a trace request in that encoding.
    """
    if _encoding(content_type) == JSON:
        return _guarded(lambda: otlp_json.traces(body))
    return _guarded(lambda: _read(ExportTraceServiceRequest, SpanMessage, otlp_protobuf.traces, body))


def receive_traces(body: bytes, content_type: str) -> Received:
    """Reads an ``ExportTraceServiceRequest`` as `decode_traces` does, but leaves protobuf spans sealed."""
    if _encoding(content_type) == JSON:
        return decode_traces(body, content_type)
    return _guarded(lambda: _read(ExportTraceServiceRequest, SpanMessage, otlp_protobuf.sealed, body))


def opened(span: Sealed) -> Span:
    """Takes a sealed span apart."""
    return otlp_protobuf.opened(SpanMessage.FromString(span.raw), span.origin)


def decode_logs(body: bytes, content_type: str) -> Decoded:
    """Reads an ``ExportLogsServiceRequest``; as `decode_traces`."""
    if _encoding(content_type) == JSON:
        return _guarded(lambda: otlp_json.logs(body))
    return _guarded(lambda: _read(ExportLogsServiceRequest, LogRecord, otlp_protobuf.logs, body))


def _encoding(content_type: str) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in (PROTOBUF, JSON):
        return media_type
    raise DecodeError(f"Content-Type {media_type or '(none)'!r} is not OTLP: send {PROTOBUF} or {JSON}")


def _read(kind: Any, leaf: Any, walk: Callable[[Any], T], body: bytes) -> T:  # noqa: ANN401 - protobuf classes carry no types
    try:
        request = kind.FromString(body)
    except ProtobufError:
        rest, refused = otlp_salvage.without_broken(body, leaf)
        read = walk(kind.FromString(rest))
        return msgspec.structs.replace(read, rejected=read.rejected + refused)
    return walk(request)


def _guarded(read: Callable[[], T]) -> T:
    try:
        return read()
    except ProtobufError as error:
        raise DecodeError(f"the body is not an OTLP protobuf request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise DecodeError(f"the body is not an OTLP JSON request: {error}") from error
    except RecursionError as error:
        raise DecodeError("the body nests values too deep: send flatter attributes") from error
