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
from typing import TypeVar

import msgspec
from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from agentdog.base.errors import DecodeError
from agentdog.spans import otlp_json, otlp_protobuf
from agentdog.spans.allowance import Allowance, Grow, unwatched
from agentdog.spans.records import Decoded, Received, Sealed, Span

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

T = TypeVar("T", bound=Received)


def decode_traces(body: bytes, content_type: str, grow: Grow = unwatched) -> Decoded:
    """Reads an ``ExportTraceServiceRequest``.

    Args:
        body: the request's body, already inflated.
        content_type: ``application/x-protobuf`` or ``application/json``, parameters allowed.
        grow: told about how many bytes it takes beside the body, as that grows.

    Returns:
        Its spans in order, and what of it was refused.

    Raises:
        DecodeError: the body is not a trace request in that encoding, or takes many times its bytes to read.
        Overloaded: `grow` raised it.
    """
    read = otlp_json.traces if _encoding(content_type) == JSON else otlp_protobuf.traces
    return _guarded(read, body, grow)


def receive_traces(body: bytes, content_type: str, grow: Grow = unwatched) -> Received:
    """Reads an ``ExportTraceServiceRequest`` as `decode_traces` does, but leaves protobuf spans sealed."""
    if _encoding(content_type) == JSON:
        return decode_traces(body, content_type, grow)
    return _guarded(otlp_protobuf.sealed, body, grow)


def opened(span: Sealed) -> Span:
    """Takes a sealed span apart."""
    return otlp_protobuf.opened(SpanMessage.FromString(span.raw), span.origin)


def decode_logs(body: bytes, content_type: str, grow: Grow = unwatched) -> Decoded:
    """Reads an ``ExportLogsServiceRequest``; as `decode_traces`."""
    read = otlp_json.logs if _encoding(content_type) == JSON else otlp_protobuf.logs
    return _guarded(read, body, grow)


def _encoding(content_type: str) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in (PROTOBUF, JSON):
        return media_type
    raise DecodeError(f"Content-Type {media_type or '(none)'!r} is not OTLP: send {PROTOBUF} or {JSON}")


def _guarded(read: Callable[[bytes, Allowance], T], body: bytes, grow: Grow) -> T:
    try:
        return read(body, Allowance(len(body), grow))
    except ProtobufError as error:
        raise DecodeError(f"the body is not an OTLP protobuf request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise DecodeError(f"the body is not an OTLP JSON request: {error}") from error
    except RecursionError as error:
        raise DecodeError("the body nests values too deep: send flatter attributes") from error
