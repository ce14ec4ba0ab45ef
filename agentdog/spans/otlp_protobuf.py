"""Reads OTLP protobuf requests span by span into records.

Messages are untyped here: the generated classes carry no types. Invariant: beside what is kept, and counted against the
request's allowance, one span or record is open at a time.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from agentdog.spans.allowance import Allowance, weight, weight_of
from agentdog.spans.otlp_build import log_trace, make_log, note, number, span_fault
from agentdog.spans.otlp_wire import groups, id_of, look_through
from agentdog.spans.records import Decoded, Event, Log, Origin, Received, Rejection, Sealed, Span

_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)
_ATTRIBUTE = 64  # about what one takes, opened; those of one name are one in the end, and cost the time all the same
_UNREADABLE = "not readable as protobuf: a text that is not UTF-8, a field of a wrong type, or values nested too deep"
#: A span's fields in one call: each costs more to ask for than to have.
_FIELDS = attrgetter(
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "status.code",
    "status.message",
    "dropped_attributes_count",
    "dropped_events_count",
    "events",
    "links",
)
#: What decides whether a span is sound.
_PLACE = attrgetter("trace_id", "span_id", "parent_span_id", "start_time_unix_nano")

T = TypeVar("T", Span, Sealed)


def traces(body: bytes, allowance: Allowance) -> Decoded:
    """Reads an ``ExportTraceServiceRequest``; raises `ProtobufError` where its frame cannot be followed."""
    spans, rejected = _spans(body, allowance, lambda message, origin, raw: opened(message, origin))
    return Decoded(records=spans, rejected=rejected)


def sealed(body: bytes, allowance: Allowance) -> Received:
    """Reads an ``ExportTraceServiceRequest`` as far as a receiver has to: what `traces` refuses is refused."""
    spans, rejected = _spans(body, allowance, _seal)
    return Received(records=spans, rejected=rejected)


def _spans(
    body: bytes, allowance: Allowance, keep: Callable[[Any, Origin, bytes], T]
) -> tuple[tuple[T, ...], tuple[Rejection, ...]]:
    spans: list[T] = []
    rejected: list[Rejection] = []
    for group in groups(body, allowance):
        resource = _resource(group.resource, allowance)
        for scoped in group.scoped:
            scope = _scope(scoped.scope, allowance)
            origin = Origin(resource, scope.name, scope.version)
            for raw in scoped.leaves:
                message = _read(SpanMessage, raw, "span", allowance)
                if message is None:
                    note(rejected, Rejection(id=id_of(raw, SpanMessage), reason=_UNREADABLE))
                    continue
                allowance.take(_ATTRIBUTE * len(message.attributes))
                fault = None if _is_sound(*_PLACE(message)) else span_fault(opened(message, origin))
                if fault is None:
                    span = keep(message, origin, raw)
                    allowance.take(weight(span))
                    spans.append(span)
                else:
                    note(rejected, fault)
    return tuple(spans), tuple(rejected)


def _seal(message: Any, origin: Origin, raw: bytes) -> Sealed:  # noqa: ANN401
    return Sealed(trace_id=message.trace_id.hex(), span_id=message.span_id.hex(), origin=origin, raw=raw)


def _read(kind: Any, raw: bytes, sort: str, allowance: Allowance) -> Any:  # noqa: ANN401
    """Reads one span or record; None where it cannot be read."""
    try:
        look_through(raw, sort, allowance)
        return kind.FromString(raw)
    except ProtobufError:
        return None


def _resource(raw: bytes, allowance: Allowance) -> dict[str, Any]:
    look_through(raw, "resource", allowance)
    read = _attributes(Resource.FromString(raw).attributes)
    allowance.take(weight_of(read))
    return read


def _scope(raw: bytes, allowance: Allowance) -> Any:  # noqa: ANN401
    look_through(raw, "scope", allowance)
    return InstrumentationScope.FromString(raw)


def opened(message: Any, origin: Origin) -> Span:  # noqa: ANN401
    """Reads one ``trace.v1.Span``."""
    trace, span, parent, name, kind, start, end, code, said, lost, lost_events, events, links = _FIELDS(message)
    return Span(
        trace_id=trace.hex(),
        span_id=span.hex(),
        parent_id=parent.hex() or None,
        name=name,
        start_ns=start,
        end_ns=end or start,
        status=code,
        status_message=said or None,
        span_kind=kind,
        attributes=_attributes(message.attributes),
        events=tuple([_event(e) for e in events]) if events else (),
        links=tuple([f"{link.trace_id.hex()}:{link.span_id.hex()}" for link in links]) if links else (),
        dropped=lost + lost_events,
        scope=origin.scope,
        scope_version=origin.scope_version,
        resource=origin.resource,
    )


def _event(message: Any) -> Event:  # noqa: ANN401
    return Event(name=message.name, time_ns=message.time_unix_nano, attributes=_attributes(message.attributes))


def logs(body: bytes, allowance: Allowance) -> Decoded:
    """Reads an ``ExportLogsServiceRequest``; raises `ProtobufError` where its frame cannot be followed."""
    records: list[Log] = []
    rejected: list[Rejection] = []
    for group in groups(body, allowance):
        resource = _resource(group.resource, allowance)
        for scoped in group.scoped:
            scope = _scope(scoped.scope, allowance)
            named = (scope.name, scope.version)
            for raw in scoped.leaves:
                message = _read(LogRecord, raw, "log", allowance)
                if message is None:
                    note(rejected, Rejection(id=id_of(raw, LogRecord), reason=_UNREADABLE))
                    continue
                made = _log(message, named, resource)
                if isinstance(made, Log):
                    allowance.take(weight(made))
                    records.append(made)
                else:
                    note(rejected, made)
    return Decoded(records=tuple(records), rejected=tuple(rejected))


def _log(message: Any, scope: tuple[str, str], resource: dict[str, Any]) -> Log | Rejection:  # noqa: ANN401
    return make_log(
        context=log_trace(message.trace_id.hex(), message.span_id.hex()),
        name=message.event_name,
        time_ns=message.time_unix_nano or message.observed_time_unix_nano,
        severity=message.severity_number,
        body=_value(message.body),
        attributes=_attributes(message.attributes),
        dropped=message.dropped_attributes_count,
        scope=scope,
        resource=resource,
    )


def _is_sound(trace: bytes, span: bytes, parent: bytes, start: int) -> bool:
    """Whether a span has no fault, as `span_fault` says it; ids made from bytes are hexadecimal whatever they are."""
    return (
        len(trace) == len(_NO_TRACE)
        and len(span) == len(_NO_SPAN)
        and len(parent) in (0, len(_NO_SPAN))
        and start > 0
        and trace != _NO_TRACE
        and span != _NO_SPAN
    )


def _attributes(pairs: Any) -> dict[str, Any]:  # noqa: ANN401
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:  # noqa: ANN401, PLR0911 - one return per kind of value
    text = value.string_value  # most values are texts, and this asks once
    if text:
        return text
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return ""
    if kind == "int_value":
        return value.int_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value":
        return number(value.double_value)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return b64encode(value.bytes_value).decode("ascii")
    return None  # empty, or a kind that this version of the protocol does not know
