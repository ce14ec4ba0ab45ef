"""Walks parsed OTLP protobuf messages into records. Messages are untyped here: the generated classes carry no types."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from agentdog.spans.otlp_build import log_trace, make_log, number, span_fault
from agentdog.spans.records import Decoded, Event, Log, Rejection, Span


def traces(request: Any) -> Decoded:  # noqa: ANN401
    """Reads an ``ExportTraceServiceRequest``."""
    spans: list[Span] = []
    rejected: list[Rejection] = []
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            name, version = scoped.scope.name, scoped.scope.version
            for message in scoped.spans:
                span = _span(message, resource, name, version)
                fault = span_fault(span)
                if fault is None:
                    spans.append(span)
                else:
                    rejected.append(fault)
    return Decoded(records=tuple(spans), rejected=tuple(rejected))


def logs(request: Any) -> Decoded:  # noqa: ANN401
    """Reads an ``ExportLogsServiceRequest``."""
    records: list[Log] = []
    rejected: list[Rejection] = []
    for group in request.resource_logs:
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
                    rejected.append(made)
    return Decoded(records=tuple(records), rejected=tuple(rejected))


def _span(message: Any, resource: dict[str, Any], scope: str, version: str) -> Span:  # noqa: ANN401
    start = message.start_time_unix_nano
    return Span(
        trace_id=message.trace_id.hex(),
        span_id=message.span_id.hex(),
        parent_id=message.parent_span_id.hex() or None,
        name=message.name,
        start_ns=start,
        end_ns=message.end_time_unix_nano or start,
        status=message.status.code,
        status_message=message.status.message or None,
        span_kind=message.kind,
        attributes=_attributes(message.attributes),
        events=tuple(
            Event(name=e.name, time_ns=e.time_unix_nano, attributes=_attributes(e.attributes)) for e in message.events
        ),
        links=tuple(f"{link.trace_id.hex()}:{link.span_id.hex()}" for link in message.links),
        dropped=message.dropped_attributes_count + message.dropped_events_count,
        scope=scope,
        scope_version=version,
        resource=resource,
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
