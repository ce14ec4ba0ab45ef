"""OTLP bodies: both encodings end in the same records, wrong ones are refused by name, nothing else is raised."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentdog.base.errors import DecodeError
from agentdog.spans import otlp_wire
from agentdog.spans.otlp import JSON, PROTOBUF, decode_logs, decode_traces, opened, receive_traces
from agentdog.spans.otlp_build import MOST_FAULTS
from agentdog.spans.records import Log, Sealed, Span
from tests.spans.compare import CAPTURES
from tests.support.dense_bodies import framed, message

TRACE, SPAN = "0AF7651916CD43DD8448EB211C80319C", "00F067AA0BA902B7"


def span_body(**fields: Any) -> bytes:
    span = {"traceId": TRACE, "spanId": SPAN, "name": "chat", "startTimeUnixNano": "5", **fields}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "s"}, "spans": [span]}]}]}).encode()


def log_body(**fields: Any) -> bytes:
    log = {"timeUnixNano": 7, "attributes": [], **fields}
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}).encode()


def one(body: bytes) -> Span:
    (record,) = decode_traces(body, JSON).records
    assert isinstance(record, Span)
    return record


def test_json_ids_are_hex_in_either_case_and_numbers_may_be_text() -> None:
    span = one(span_body(endTimeUnixNano=9, kind=3, unknownField={"a": 1}))
    assert (span.trace_id, span.span_id) == (TRACE.lower(), SPAN.lower())
    assert (span.start_ns, span.end_ns, span.span_kind) == (5, 9, 3)


def test_every_kind_of_value() -> None:
    values = [
        ({"stringValue": "x"}, "x"),
        ({"intValue": "-3"}, -3),
        ({"boolValue": False}, False),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"bytesValue": "AQI="}, "AQI="),
        ({"arrayValue": {"values": [{"intValue": 1}, {}]}}, [1, None]),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}}, {"k": "v"}),
        ({}, None),
    ]
    span = one(span_body(attributes=[{"key": str(n), "value": v} for n, (v, _) in enumerate(values)]))
    assert [span.attributes[str(n)] for n in range(len(values))] == [want for _, want in values]


def test_bytes_are_base64_in_protobuf_too() -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.start_time_unix_nano = b"t" * 16, b"s" * 8, 1
    span.attributes.add(key="k").value.bytes_value = b"\x01\x02"
    (record,) = decode_traces(request.SerializeToString(), f"{PROTOBUF}; charset=utf-8").records
    assert record.attributes == {"k": b64encode(b"\x01\x02").decode()}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"traceId": "ab"}, "trace_id"),
        ({"traceId": "0" * 32}, "trace_id"),
        ({"traceId": "zz" * 16}, "trace_id"),
        ({"spanId": ""}, "span_id"),
        ({"spanId": "0" * 16}, "span_id"),
        ({"parentSpanId": "abc"}, "parent_span_id"),
        ({"startTimeUnixNano": "0"}, "start_time_unix_nano"),
    ],
)
def test_a_wrong_span_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    decoded = decode_traces(span_body(**fields), JSON)
    assert decoded.records == ()
    assert decoded.rejected[0].reason.startswith(field)


def test_a_log_with_a_wrong_context_is_kept_without_it() -> None:
    (record,) = decode_logs(log_body(traceId="ab", spanId=SPAN), JSON).records
    assert isinstance(record, Log)
    assert (record.trace_id, record.span_id) == (None, None)
    assert record.unit.startswith("session:resource-")


def test_a_log_without_any_time_is_refused() -> None:
    decoded = decode_logs(log_body(timeUnixNano=0), JSON)
    assert "time_unix_nano" in decoded.rejected[0].reason


def test_a_resent_log_is_the_same_record_and_a_resumed_session_is_not() -> None:
    def body(time: int) -> bytes:
        attributes = [
            {"key": "session.id", "value": {"stringValue": "s1"}},
            {"key": "event.sequence", "value": {"intValue": 1}},
            {"key": "event.name", "value": {"stringValue": "user_prompt"}},
        ]
        return log_body(timeUnixNano=time, attributes=attributes)

    (first,), (again,), (resumed,) = (decode_logs(body(t), JSON).records for t in (7, 7, 8))
    assert isinstance(first, Log)
    assert first.id == again.id != resumed.id
    assert (first.session, first.name) == ("s1", "user_prompt")
    assert first.id.startswith("log:s1:1-")


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"not otlp at all"])
def test_undecodable_bodies_raise_one_error(body: bytes) -> None:
    for decode in (decode_traces, decode_logs):
        for content_type in (PROTOBUF, JSON):
            with pytest.raises(DecodeError):
                decode(body, content_type)


def test_other_media_types_name_the_remedy() -> None:
    with pytest.raises(DecodeError, match="application/x-protobuf"):
        decode_traces(b"", "text/plain")


def test_an_empty_request_is_fine() -> None:
    assert decode_traces(b"", PROTOBUF).records == ()
    assert decode_logs(b"{}", JSON).records == ()
    assert decode_logs(b"", PROTOBUF).records == ()


def test_deep_nesting_is_an_error_of_the_body() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    text = json.dumps(value)
    for _ in range(3000):
        text = '{"arrayValue":{"values":[' + text + "]}}"
    body = (
        span_body(attributes=[]).decode().replace('"attributes": []', f'"attributes": [{{"key":"k","value":{text}}}]')
    )
    with pytest.raises(DecodeError, match="deep"):
        decode_traces(body.encode(), JSON)


def test_a_text_that_is_not_utf8_costs_its_span_only() -> None:
    request = ExportTraceServiceRequest()
    scoped = request.resource_spans.add().scope_spans.add()
    for number in range(3):
        scoped.spans.add(trace_id=b"t" * 16, span_id=bytes([number + 1] * 8), start_time_unix_nano=1, name="name")
    place = request.SerializeToString().rfind(b"name")
    body = bytearray(request.SerializeToString())
    body[place] = 0xFF
    decoded = decode_traces(bytes(body), PROTOBUF)
    assert [span.span_id for span in decoded.records if isinstance(span, Span)] == ["01" * 8, "02" * 8]
    (fault,) = decoded.rejected
    assert fault.id == f"{(b't' * 16).hex()}:{'03' * 8}"
    assert "UTF-8" in fault.reason


def test_a_broken_span_of_very_many_fields_is_looked_through_for_its_ids_only_so_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = 0
    field = otlp_wire._field

    def counted(body: bytes, at: int, end: int) -> tuple[int, int, int]:
        nonlocal looked
        looked += 1
        return field(body, at, end)

    monkeypatch.setattr(otlp_wire, "_field", counted)
    span = b"\x52\x01\xff" + b"\x78\x01" * 100_000  # broken, with very many fields in which no id is
    (fault,) = decode_traces(framed(message(b"\x12", span)), PROTOBUF).rejected
    assert fault.id == ":"
    assert looked < 100


@pytest.mark.parametrize("body", [b"\x0a\x02\x12\x05", b"\x0a\x80", b"\x0a\x01\x12", b"\x0b\x0c", b"\x02\x00"])
def test_a_frame_that_cannot_be_followed_is_an_error_of_the_body(body: bytes) -> None:
    for read in (decode_traces, receive_traces, decode_logs):
        with pytest.raises(DecodeError):
            read(body, PROTOBUF)


def test_parts_of_a_frame_count_as_one_and_unknown_ones_are_passed_over() -> None:
    """A resource may come in two parts and after its spans (protobuf encoding, "last one wins")."""
    span = message(b"\x0a", b"t" * 16) + message(b"\x12", b"s" * 8) + b"\x39" + (5).to_bytes(8, "little")
    pairs = [message(b"\x0a", message(b"\x0a", key) + message(b"\x12", message(b"\x0a", b"v"))) for key in (b"a", b"b")]
    scoped = message(b"\x12", message(b"\x12", span) + message(b"\x0a", message(b"\x0a", b"scope")))
    odd = b"\x78\x01" + message(b"\x7a", b"x") + b"\x7d1234" + b"\x7912345678"
    body = odd + message(b"\x0a", odd + message(b"\x0a", pairs[0]) + scoped + message(b"\x0a", pairs[1])) + odd
    (read,) = decode_traces(body, PROTOBUF).records
    assert (read.resource, read.scope) == ({"a": "v", "b": "v"}, "scope")
    assert read.id == f"{(b't' * 16).hex()}:{(b's' * 8).hex()}"
    (received,) = receive_traces(body, PROTOBUF).records
    assert isinstance(received, Sealed)
    assert opened(received) == read


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_request_of_faults_alone_is_refused_whole_once_there_are_very_many(kind: str) -> None:
    """An empty span is two bytes; what is said of it is not."""

    def body(number: int) -> bytes:
        if kind == JSON:
            return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join([b"{}"] * number) + b"]}]}]}"
        return framed(b"\x12\x00" * number)

    assert len(decode_traces(body(MOST_FAULTS), kind).rejected) == MOST_FAULTS
    for read in (decode_traces, receive_traces):
        with pytest.raises(DecodeError, match="cannot be kept"):
            read(body(MOST_FAULTS + 1), kind)


@pytest.mark.parametrize(
    "wrong", [{"traceId": 5}, {"startTimeUnixNano": "soon"}, {"attributes": {"key": "k"}}, {"kind": "SPAN_KIND_CLIENT"}]
)
def test_a_field_of_a_wrong_type_in_json_costs_its_span_only(wrong: dict[str, Any]) -> None:
    def fields(span_id: str, **more: Any) -> dict[str, Any]:
        return {"traceId": "AB" * 16, "spanId": span_id * 8, "startTimeUnixNano": 1, **more}

    spans = [fields("01"), fields("02") | wrong, fields("03")]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    decoded = decode_traces(body, JSON)
    assert [span.span_id for span in decoded.records if isinstance(span, Span)] == ["01" * 8, "03" * 8]
    (fault,) = decoded.rejected
    assert fault.id.endswith("02" * 8)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(body: bytes) -> None:
    for decode in (decode_traces, decode_logs):
        for content_type in (PROTOBUF, JSON):
            try:
                decode(body, content_type)
            except DecodeError:
                continue


@settings(max_examples=150)
@given(st.data())
def test_damaged_bodies_raise_nothing_else(data: st.DataObject) -> None:
    good = (CAPTURES / "pydantic-ai-v3/A/001-traces.pb").read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    bad = good[:place] + data.draw(st.binary(max_size=8)) + good[place + data.draw(st.integers(0, 8)) :]
    try:
        decode_traces(bad, PROTOBUF)
    except DecodeError:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "scopeSpans", "spans", "traceId", "attributes", "key", "value", "intValue"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(json_values)
def test_random_json_raises_nothing_else(value: Any) -> None:
    body = json.dumps(value).encode()
    for decode in (decode_traces, decode_logs):
        try:
            decode(body, JSON)
        except DecodeError:
            continue
