"""Rules of the OTLP data model that both encodings share: what is refused, what a log record's id and session are."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from agentdog.base.errors import DecodeError
from agentdog.base.ids import digest
from agentdog.spans.records import Log, Rejection, Span

_ZERO_TRACE = "0" * 32
_ZERO_SPAN = "0" * 16
_HEX = frozenset("0123456789abcdef")
_SESSION_KEYS = ("session.id", "conversation.id", "gen_ai.conversation.id")
#: Records of one request that may be refused while the others are kept.
MOST_FAULTS = 10_000
_stable = msgspec.json.Encoder(order="deterministic").encode


def number(value: float) -> float | str:
    """Returns a double as JSON can carry it: not-a-number and infinities as protobuf's JSON mapping writes them."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def note(rejected: list[Rejection], fault: Rejection) -> None:
    """Adds a fault of one record.

    Raises:
        DecodeError: there are more than any sender's mistake makes; an empty span is two bytes and a fault half a
            kilobyte, so the whole request is refused, and nothing of it kept.
    """
    rejected.append(fault)
    if len(rejected) > MOST_FAULTS:
        raise DecodeError(f"over {MOST_FAULTS} records of the request cannot be kept; the last: {fault.reason}")


def span_fault(span: Span) -> Rejection | None:
    """Says why a span cannot be kept: ids by which nothing can be found, or no place in time."""
    if not _is_id(span.trace_id, 32) or span.trace_id == _ZERO_TRACE:
        return _refuse(span, "trace_id", "must be 16 bytes, not all zero")
    if not _is_id(span.span_id, 16) or span.span_id == _ZERO_SPAN:
        return _refuse(span, "span_id", "must be 8 bytes, not all zero")
    if span.parent_id is not None and not _is_id(span.parent_id, 16):
        return _refuse(span, "parent_span_id", "must be 8 bytes or empty")
    if span.start_ns <= 0:
        return _refuse(span, "start_time_unix_nano", "must be set")
    return None


def log_trace(trace_id: str, span_id: str) -> tuple[str | None, str | None]:
    """Returns a log record's context; an invalid one means that there is none (opentelemetry/proto/logs/v1)."""
    if not _is_id(trace_id, 32) or trace_id == _ZERO_TRACE:
        return None, None
    return trace_id, span_id if _is_id(span_id, 16) and span_id != _ZERO_SPAN else None


def make_log(  # noqa: PLR0913 - the fields of a record, by name
    *,
    context: tuple[str | None, str | None],
    name: str,
    time_ns: int,
    severity: int,
    body: Any,  # noqa: ANN401 - any JSON value
    attributes: dict[str, Any],
    dropped: int,
    scope: tuple[str, str],
    resource: dict[str, Any],
) -> Log | Rejection:
    """Builds a log record with its session and an id by content, or says why not."""
    trace_id, span_id = context
    session = _session(attributes, resource)
    name = name if "event.name" not in attributes else str(attributes["event.name"])
    content = digest(_stable([trace_id, span_id, name, time_ns, body, attributes]), size=8)
    sequence = attributes.get("event.sequence")
    # A process that resumes a session counts from the start again, so the sequence alone would be another record's id.
    place = content if sequence is None else f"{sequence}-{content}"
    record = f"log:{session}:{place}"
    if time_ns <= 0:
        return Rejection(id=record, reason="time_unix_nano or observed_time_unix_nano must be set")
    return Log(
        id=record,
        trace_id=trace_id,
        span_id=span_id,
        session=session,
        name=name,
        time_ns=time_ns,
        severity=severity,
        body=body,
        attributes=attributes,
        dropped=dropped,
        scope=scope[0],
        scope_version=scope[1],
        resource=resource,
    )


def _session(attributes: dict[str, Any], resource: dict[str, Any]) -> str:
    for key in _SESSION_KEYS:
        value = attributes.get(key)
        if value:
            return str(value)
    return "resource-" + digest(_stable(resource), size=8)


def _is_id(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.issuperset(text)


def _refuse(span: Span, field: str, rule: str) -> Rejection:
    return Rejection(id=f"{span.trace_id[:64]}:{span.span_id[:64]}", reason=f"{field} {rule}")
