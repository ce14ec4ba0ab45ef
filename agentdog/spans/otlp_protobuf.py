"""Walks parsed OTLP protobuf messages into records. Messages are untyped here: the generated classes carry no types."""

from __future__ import annotations

from base64 import b64encode
from operator import attrgetter
from typing import Any

from agentdog.base.errors import DecodeError
from agentdog.spans.otlp_build import log_trace, make_log, note, number, span_fault
from agentdog.spans.records import Decoded, Event, Log, Origin, Received, Rejection, Sealed, Span

_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)
#: What may stand around the spans or records of one request.
_MOST_FRAMED = 100_000
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


def traces(request: Any) -> Decoded:  # noqa: ANN401
    """Reads an ``ExportTraceServiceRequest``."""
    spans: list[Span] = []
    rejected: list[Rejection] = []
    for group in _framed(request.resource_spans, "scope_spans"):
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            origin = Origin(resource, scoped.scope.name, scoped.scope.version)
            for message in scoped.spans:
                span = opened(message, origin)
                fault = None if _is_sound(*_PLACE(message)) else span_fault(span)
                if fault is None:
                    spans.append(span)
                else:
                    note(rejected, fault)
    return Decoded(records=tuple(spans), rejected=tuple(rejected))


def sealed(request: Any) -> Received:  # noqa: ANN401
    """Reads an ``ExportTraceServiceRequest`` as far as a receiver has to: what `traces` refuses is refused."""
    spans: list[Sealed] = []
    rejected: list[Rejection] = []
    for group in _framed(request.resource_spans, "scope_spans"):
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            origin = Origin(resource, scoped.scope.name, scoped.scope.version)
            for message in scoped.spans:
                trace, span, *rest = _PLACE(message)
                fault = None if _is_sound(trace, span, *rest) else span_fault(opened(message, origin))
                if fault is None:
                    raw = message.SerializeToString()
                    spans.append(Sealed(trace_id=trace.hex(), span_id=span.hex(), origin=origin, raw=raw))
                else:
                    note(rejected, fault)
    return Received(records=tuple(spans), rejected=tuple(rejected))


def _framed(groups: Any, inner: str) -> Any:  # noqa: ANN401
    """Returns the groups of a request; raises `DecodeError` where there are more than anybody sends, two bytes each."""
    count = len(groups)
    if count <= _MOST_FRAMED:
        count += sum(len(getattr(group, inner)) + len(group.resource.attributes) for group in groups)
    if count > _MOST_FRAMED:
        raise DecodeError(f"over {_MOST_FRAMED} resources, scopes and resource attributes in one request")
    return groups


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


def logs(request: Any) -> Decoded:  # noqa: ANN401
    """Reads an ``ExportLogsServiceRequest``."""
    records: list[Log] = []
    rejected: list[Rejection] = []
    for group in _framed(request.resource_logs, "scope_logs"):
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_logs:
            scope = (scoped.scope.name, scoped.scope.version)
            for message in scoped.log_records:
                made = make_log(
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
                if isinstance(made, Log):
                    records.append(made)
                else:
                    note(rejected, made)
    return Decoded(records=tuple(records), rejected=tuple(rejected))


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
