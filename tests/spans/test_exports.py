"""Exports of other tools give the same steps as the telemetry did live."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentdog.base.errors import DecodeError
from agentdog.spans import reconstruct
from agentdog.spans.exports import otlp, sniff
from agentdog.spans.exports.fields import nanos, span_id, trace_id
from agentdog.spans.records import Event, Record, Span
from agentdog.trajectory import Step, Trajectory
from tests.spans import exporting
from tests.spans.compare import CAPTURES, SHARED, load, scenarios

#: Exports hold spans: recordings whose content is in log records cannot come back from one.
SPANS_ONLY = [n for n in scenarios(CAPTURES) if not any((CAPTURES / n).glob("*logs*"))]
OPENINFERENCE = [n for n in scenarios(CAPTURES) if n.startswith(("langchain-openinference", "openai-agents-openinf"))]
GENAI = [n for n in SPANS_ONLY if n.startswith(("pydantic-ai", "openai-v2.latest"))]
LANGFUSE = [n for n in scenarios(CAPTURES) if n.startswith("langfuse")]
LANGSMITH = [n for n in scenarios(CAPTURES) if n.startswith("langchain-langsmith")]


def steps(trajectories: Iterable[Trajectory]) -> list[list[tuple[Any, ...]]]:
    """What a step says, without where it stood: times are cut by the exports, ids of spans are the tools' own."""
    return [[told(step) for step in trajectory.steps] for trajectory in trajectories]


def told(step: Step) -> tuple[Any, ...]:
    return (
        *(step.role, step.content, step.thought, step.reasoning, step.tool_calls, step.name, step.tool_result),
        *(step.tool_call_id, step.is_error, step.agent, step.thread, step.handoff_to, step.missing),
    )


def imported(values: Sequence[Any]) -> list[Span]:
    found = sniff(json.loads(json.dumps(values)))
    assert found is not None
    export, rows = found
    return list(export.read(rows, "export.json"))


def live(name: str) -> list[Record]:
    return load(CAPTURES / name)


def same(name: str, values: Sequence[Any], tool: str) -> None:
    found = sniff(values)
    assert found is not None
    assert found[0].name == tool
    records = live(name)
    got, want = reconstruct(imported(values)), reconstruct(records)
    assert want
    assert steps(got) == steps(want)
    assert [t.agents for t in got] == [t.agents for t in want]
    assert [t.session_id for t in got] == [t.session_id for t in want]


@pytest.mark.parametrize("name", [*OPENINFERENCE, *GENAI])
def test_phoenix(name: str) -> None:
    spans = exporting.spans_of(live(name))
    rows = exporting.phoenix(spans)
    same(name, rows, "phoenix")
    same(name, [{"data": rows, "next_cursor": None}], "phoenix")
    assert [span.id for span in imported(rows)] == [span.id for span in spans]


@pytest.mark.parametrize("name", [*OPENINFERENCE, *GENAI])
def test_phoenix_data_frames_in_each_orientation(name: str) -> None:
    rows = exporting.phoenix_frame(exporting.spans_of(live(name)))
    same(name, rows, "phoenix")
    same(name, [exporting.columns(rows)], "phoenix")
    same(name, [{"columns": list(rows[0]), "index": [], "data": [list(row.values()) for row in rows]}], "phoenix")


@pytest.mark.parametrize("name", [*OPENINFERENCE, *GENAI])
def test_jaeger(name: str) -> None:
    spans = exporting.spans_of(live(name))
    page = exporting.jaeger(spans)
    same(name, [page], "jaeger")
    same(name, page["data"], "jaeger")
    first, want = imported([page])[0], spans[0]
    assert (first.id, first.parent_id, first.scope, first.resource) == (
        *(want.id, want.parent_id, want.scope),
        want.resource,
    )


@pytest.mark.parametrize("name", LANGFUSE)
def test_langfuse(name: str) -> None:
    rows = exporting.langfuse(exporting.spans_of(live(name)))
    same(name, rows, "langfuse")
    same(name, [{"data": rows, "meta": {"cursor": None}}], "langfuse")
    snake = [{_snake(key): value for key, value in row.items()} for row in rows]
    texts = [{**row, "input": _text(row["input"]), "output": _text(row["output"])} for row in snake]
    same(name, texts, "langfuse")
    (trace,) = {row["traceId"] for row in rows}
    whole = {"id": trace, "sessionId": rows[0]["sessionId"], "observations": [{**r, "sessionId": None} for r in rows]}
    same(name, [whole], "langfuse")


@pytest.mark.parametrize("name", LANGSMITH)
def test_langsmith(name: str) -> None:
    rows = exporting.langsmith(exporting.spans_of(live(name)))
    same(name, rows, "langsmith")
    same(name, [{"runs": rows}], "langsmith")
    same(name, [_tree(rows)], "langsmith")
    texts = [{**r, **{k: json.dumps(r[k]) for k in ("inputs", "outputs", "extra")}} for r in rows]
    same(name, texts, "langsmith")


def test_otlp_requests_one_per_line_and_as_jaeger_answers_them() -> None:
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "x", "startTimeUnixNano": "1"}
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    other = {"resourceSpans": [{"scopeSpans": [{"spans": [{**span, "spanId": "3" * 16}]}]}]}
    assert otlp.is_request({"result": request})
    read = otlp.read_json([request, {"result": other}, {"resourceMetrics": []}], "spans.jsonl")
    assert [record.id[-1] for record in read.records] == ["2", "3"]
    with pytest.raises(DecodeError, match=r"spans\.jsonl, request 2: neither resourceSpans"):
        otlp.read_json([request, {}], "spans.jsonl")


_MAKERS: dict[str, tuple[list[str], Callable[[Iterable[Span]], Any]]] = {
    "phoenix": (OPENINFERENCE, exporting.phoenix),
    "jaeger": (GENAI, lambda spans: exporting.jaeger(spans)["data"]),
    "langfuse": (LANGFUSE, exporting.langfuse),
    "langsmith": (LANGSMITH, exporting.langsmith),
}


@settings(max_examples=25)
@given(st.sampled_from(sorted(_MAKERS)), st.integers(0, 100), st.randoms(use_true_random=False))
def test_twice_and_in_any_order_is_once(tool: str, number: int, random: Any) -> None:
    names, make = _MAKERS[tool]
    rows = make(exporting.spans_of(live(names[number % len(names)])))
    once = reconstruct(imported(rows))
    again = [*rows, *rows]
    random.shuffle(again)
    assert reconstruct(imported(again)) == once


@pytest.mark.parametrize(
    ("tool", "change", "words"),
    [
        ("phoenix", {"start_time": None}, "row 2: no start_time"),
        ("phoenix", {"start_time": "yesterday"}, "row 2: start_time is 'yesterday'"),
        ("phoenix", {"context": {"trace_id": "a" * 32}}, "row 2: no span_id"),
        ("langfuse", {"id": None}, "row 2: no id"),
        ("langfuse", {"type": None}, "row 2: no type"),
        ("langsmith", {"run_type": None}, "row 2: no run_type"),
        ("langsmith", {"trace_id": None, "parent_run_id": "x"}, "row 2: no trace_id"),
    ],
)
def test_a_row_that_is_no_span_is_named_with_its_field(tool: str, change: dict[str, Any], words: str) -> None:
    names, make = _MAKERS[tool]
    rows = make(exporting.spans_of(live(names[0])))
    rows[1] = {**rows[1], **change}
    with pytest.raises(DecodeError, match=f"export.json, {words}"):
        imported(rows)


@pytest.mark.parametrize("name", scenarios(SHARED))
def test_every_other_recording(name: str) -> None:
    records = load(SHARED / name)
    spans = exporting.spans_of(records)
    if len(spans) != len(records):
        pytest.skip("log records are in none of these exports")
    want = steps(reconstruct(records))
    assert steps(reconstruct(imported([exporting.jaeger(spans)]))) == want
    if not any(span.links for span in spans):  # Phoenix keeps no links
        assert steps(reconstruct(imported(exporting.phoenix(spans)))) == want
    if name.startswith("langfuse-openai"):
        assert steps(reconstruct(imported(exporting.langfuse(spans)))) == want
    if name.startswith("langchain-langsmith"):
        assert steps(reconstruct(imported(exporting.langsmith(spans)))) == want


def test_what_jaeger_keeps_beside_attributes_is_read_back() -> None:
    span = Span(
        trace_id="a" * 32,
        span_id="b" * 16,
        parent_id="c" * 16,
        name="chat",
        start_ns=5_000,
        end_ns=9_000,
        status=2,
        status_message="refused",
        span_kind=3,
        attributes={"text": "x", "yes": True, "large": 2**60, "part": 0.5},
        events=(Event(name="gen_ai.user.message", time_ns=6_000, attributes={"message": "Hello.", "event.name": "y"}),),
        links=(f"{'d' * 32}:{'e' * 16}",),
        scope="s",
        scope_version="1",
        resource={"service.name": "app", "host": "h"},
    )
    (read,) = imported([exporting.jaeger([span])])
    assert read == msgspec.structs.replace(span, attributes={**span.attributes, "error": True})


def test_openllmetrys_numbered_attributes_are_numbered_again() -> None:
    told = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hello.", "gen_ai.completion.0.content": "Hi."}
    span = Span(trace_id="a" * 32, span_id="b" * 16, name="chat", start_ns=5_000, end_ns=9_000, attributes=told)
    (read,) = imported(exporting.phoenix_frame([span]))
    assert read.attributes == told


def test_a_jaeger_span_that_is_none_is_named() -> None:
    traces = exporting.jaeger(exporting.spans_of(live(OPENINFERENCE[0])))["data"]
    traces[0]["spans"][1]["startTime"] = "soon"
    with pytest.raises(DecodeError, match=r"export\.json, trace 1, span 2: startTime is 'soon'"):
        imported(traces)


def test_what_is_no_export_is_nobodys() -> None:
    assert sniff([]) is None
    assert sniff([{"messages": [{"role": "user", "content": "Hello."}]}]) is None
    assert sniff([{"type": "user", "message": {}, "uuid": "u"}]) is None


def test_times_in_every_spelling_are_the_same_time() -> None:
    second = 1_700_000_000
    spellings = (
        *("2023-11-14T22:13:20Z", "2023-11-14 22:13:20.000000", "2023-11-14T23:13:20+01:00", "2023-11-14 22:13:20 UTC"),
        *(second, second * 1000, second * 10**6, second * 10**9, float(second), str(second)),
    )
    assert {nanos(spelling, "x", "start") for spelling in spellings} == {second * 10**9}
    assert nanos("2023-11-14T22:13:20.123456789Z", "x", "start") == second * 10**9 + 123_456_789


def test_ids_that_are_opentelemetrys_stay() -> None:
    assert trace_id("A" * 32) == "a" * 32
    assert trace_id("12345678-1234-1234-1234-123456789abc") == "12345678123412341234123456789abc"
    assert trace_id("abcdef0123456789") == "0" * 16 + "abcdef0123456789"
    assert len(trace_id("my trace")) == 32
    assert span_id("00f067aa0ba902b7") == "00f067aa0ba902b7"
    assert span_id("run 1") != span_id("run 2")


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _tree(rows: list[dict[str, Any]]) -> dict[str, Any]:
    by_id = {row["id"]: {**row, "child_runs": []} for row in rows}
    root: dict[str, Any] = {}
    for row in by_id.values():
        if row["parent_run_id"] in by_id:
            by_id[row["parent_run_id"]]["child_runs"].append(row)
        else:
            root = row
    return root
