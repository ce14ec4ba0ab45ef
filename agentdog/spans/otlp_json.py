"""Decodes OTLP/JSON by type (msgspec) and walks it into records.

Field names are the lowerCamelCase ones that the specification demands; ``null`` means absent (proto3 JSON mapping).
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from agentdog.spans.allowance import Allowance, weight, weight_of
from agentdog.spans.otlp_build import log_trace, make_log, note, number, span_fault
from agentdog.spans.records import Decoded, Event, Log, Rejection, Span

_Integer = int | str | None  # int64 and fixed64: number or decimal string


class _Value(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Integer = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: _Array | None = None
    kvlist_value: _KeyValues | None = None


class _Array(msgspec.Struct):
    values: list[_Value] | None = None


class _Pair(msgspec.Struct):
    key: str = ""
    value: _Value | None = None


class _KeyValues(msgspec.Struct):
    values: list[_Pair] | None = None


class _Resource(msgspec.Struct):
    attributes: list[_Pair] | None = None


class _Scope(msgspec.Struct):
    name: str | None = None
    version: str | None = None


class _Status(msgspec.Struct):
    code: int | None = None
    message: str | None = None


class _Event(msgspec.Struct, rename="camel"):
    name: str | None = None
    time_unix_nano: _Integer = None
    attributes: list[_Pair] | None = None


class _Link(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: int | None = None
    start_time_unix_nano: _Integer = None
    end_time_unix_nano: _Integer = None
    attributes: list[_Pair] | None = None
    dropped_attributes_count: _Integer = None
    dropped_events_count: _Integer = None
    events: list[_Event] | None = None
    links: list[_Link] | None = None
    status: _Status | None = None


class _ScopeSpans(msgspec.Struct):
    scope: _Scope | None = None
    spans: list[msgspec.Raw] | None = None  # read one by one: one that is wrong must not cost its neighbours


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Traces(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


class _LogRecord(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    event_name: str | None = None
    time_unix_nano: _Integer = None
    observed_time_unix_nano: _Integer = None
    severity_number: int | None = None
    body: _Value | None = None
    attributes: list[_Pair] | None = None
    dropped_attributes_count: _Integer = None


class _ScopeLogs(msgspec.Struct, rename="camel"):
    scope: _Scope | None = None
    log_records: list[msgspec.Raw] | None = None


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _Logs(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] | None = None


_traces = msgspec.json.Decoder(_Traces)
_logs = msgspec.json.Decoder(_Logs)
_one_span = msgspec.json.Decoder(_Span)
_one_log = msgspec.json.Decoder(_LogRecord)
#: What reading one span or record may raise: it is refused, its neighbours are kept.
_WRONG = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)
#: What an object or an item takes while it is read, about; and texts, in which braces and commas make neither.
_TOKEN, _MANY = 64, 1 << 17
#: Possessive, and one that does not end goes to the end: nothing is looked at twice, whatever somebody sends.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_SCOPE = _Scope()
_NO_STATUS = _Status()


def traces(body: bytes, allowance: Allowance) -> Decoded:
    """Reads a trace request; raises `msgspec.DecodeError` or `ValueError` when it is none."""
    spans: list[Span] = []
    rejected: list[Rejection] = []
    _look_through(body, allowance)
    for group in _traces.decode(body).resource_spans or ():
        resource = _attributes(group.resource.attributes if group.resource else None)
        allowance.take(weight_of(resource))
        for scoped in group.scope_spans or ():
            scope = scoped.scope or _NO_SCOPE
            for raw in scoped.spans or ():
                try:
                    span = _span(_one_span.decode(raw), resource, scope)
                except _WRONG as error:
                    note(rejected, _refused(raw, error))
                    continue
                fault = span_fault(span)
                if fault is None:
                    allowance.take(weight(span))
                    spans.append(span)
                else:
                    note(rejected, fault)
    return Decoded(records=tuple(spans), rejected=tuple(rejected))


def logs(body: bytes, allowance: Allowance) -> Decoded:
    """Reads a log request; raises `msgspec.DecodeError` or `ValueError` when it is none."""
    records: list[Log] = []
    rejected: list[Rejection] = []
    _look_through(body, allowance)
    for group in _logs.decode(body).resource_logs or ():
        resource = _attributes(group.resource.attributes if group.resource else None)
        allowance.take(weight_of(resource))
        for scoped in group.scope_logs or ():
            scope = scoped.scope or _NO_SCOPE
            for raw in scoped.log_records or ():
                try:
                    made = _log(_one_log.decode(raw), resource, scope)
                except _WRONG as error:
                    note(rejected, _refused(raw, error))
                    continue
                if isinstance(made, Log):
                    allowance.take(weight(made))
                    records.append(made)
                else:
                    note(rejected, made)
    return Decoded(records=tuple(records), rejected=tuple(rejected))


def _look_through(body: bytes, allowance: Allowance) -> None:
    """Counts objects and items before any is read: three bytes make one."""
    count = body.count(b"{") + body.count(b",")
    if count > _MANY:
        bare = _STRING.sub(b"", body)
        count = bare.count(b"{") + bare.count(b",")
    allowance.take(count * _TOKEN)


def _log(message: _LogRecord, resource: dict[str, Any], scope: _Scope) -> Log | Rejection:
    return make_log(
        context=log_trace((message.trace_id or "").lower(), (message.span_id or "").lower()),
        name=message.event_name or "",
        time_ns=_nanos(message.time_unix_nano) or _nanos(message.observed_time_unix_nano),
        severity=message.severity_number or 0,
        body=_value(message.body),
        attributes=_attributes(message.attributes),
        dropped=_nanos(message.dropped_attributes_count),
        scope=(scope.name or "", scope.version or ""),
        resource=resource,
    )


def _refused(raw: msgspec.Raw, error: Exception) -> Rejection:
    """Names what could not be read, as far as its ids can be."""
    try:
        ids = msgspec.json.decode(raw, type=dict[str, Any])
    except _WRONG:
        ids = {}
    shown = ":".join(str(ids.get(name, ""))[:64].lower() for name in ("traceId", "spanId"))
    reason = "values nested too deep" if isinstance(error, RecursionError) else str(error)
    return Rejection(id=shown, reason=f"not readable as OTLP JSON: {reason}")


def _span(message: _Span, resource: dict[str, Any], scope: _Scope) -> Span:
    status = message.status or _NO_STATUS
    start = _nanos(message.start_time_unix_nano)
    return Span(
        trace_id=(message.trace_id or "").lower(),
        span_id=(message.span_id or "").lower(),
        parent_id=(message.parent_span_id or "").lower() or None,
        name=message.name or "",
        start_ns=start,
        end_ns=_nanos(message.end_time_unix_nano) or start,
        status=status.code or 0,
        status_message=status.message or None,
        span_kind=message.kind or 0,
        attributes=_attributes(message.attributes),
        events=tuple(
            Event(name=e.name or "", time_ns=_nanos(e.time_unix_nano), attributes=_attributes(e.attributes))
            for e in message.events or ()
        ),
        links=tuple(f"{(k.trace_id or '').lower()}:{(k.span_id or '').lower()}" for k in message.links or ()),
        dropped=_nanos(message.dropped_attributes_count) + _nanos(message.dropped_events_count),
        scope=scope.name or "",
        scope_version=scope.version or "",
        resource=resource,
    )


def _nanos(value: _Integer) -> int:
    """Reads an unsigned 64-bit integer; raises `ValueError` outside of it, as protobuf does."""
    number_ = int(value) if value else 0
    if not 0 <= number_ < 1 << 64:
        raise ValueError(f"{value!r} is no unsigned 64-bit integer")
    return number_


def _attributes(pairs: list[_Pair] | None) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs or ()}


def _value(value: _Value | None) -> Any:  # noqa: ANN401, PLR0911 - one return per kind of value
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return int(value.int_value)
    if value.bool_value is not None:
        return value.bool_value
    if value.double_value is not None:
        return number(_double(value.double_value))
    if value.array_value is not None:
        return [_value(item) for item in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return _attributes(value.kvlist_value.values)
    return value.bytes_value  # base64 text already; None when the value is empty


def _double(value: float | str) -> float:
    """Reads a double; ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` are strings in protobuf's JSON mapping."""
    return math.nan if value == "NaN" else float(value)
