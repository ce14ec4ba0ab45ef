"""A transcript that is told as telemetry is woven back into the same steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentdog.spans import reconstruct
from agentdog.spans.otlp import PROTOBUF, decode_logs, decode_traces
from agentdog.spans.otlp_encode import encode_logs, encode_traces
from agentdog.spans.records import Event, Log, Span
from agentdog.spans.retell import retell
from agentdog.trajectory import Agent, Step, ToolCall, Trajectory
from agentdog.trajectory.formats import sniff
from tests.spans.compare import CAPTURES, load, scenarios
from tests.trajectory.formats import samples

NOW = 1_700_000_000_000_000_000
CHAT: dict[str, Any] = {
    "tools": [{"function": {"name": "ls", "description": "Lists.", "parameters": {"type": "object"}}}],
    "messages": [
        {"role": "system", "content": "You are careful."},
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "1", "function": {"name": "ls", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "a b"},
        {"role": "assistant", "content": "a and b."},
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": "a and b."},
        {"role": "user", "content": "Thanks."},
    ],
}


def told(step: Step) -> tuple[Any, ...]:
    return (
        *(step.role, step.content, step.thought, step.reasoning, step.tool_calls, step.name, step.tool_result),
        *(step.tool_call_id, step.is_error, step.agent, step.thread, step.parent_call_id, step.missing),
    )


def same(trajectory: Trajectory) -> Trajectory:
    spans = retell(trajectory, undated_ns=NOW)
    assert decode_traces(encode_traces(spans), PROTOBUF).records == tuple(spans)
    (woven,) = reconstruct(spans)
    assert [told(step) for step in woven.steps] == [told(step) for step in trajectory.steps]
    assert woven.session_id == trajectory.session_id
    return woven


def only(path: Path) -> Trajectory:
    (case,) = sniff.read(path)
    return case.trajectory


def test_chat(tmp_path: Path) -> None:
    (tmp_path / "chat.json").write_text(json.dumps(CHAT))
    chat = only(tmp_path / "chat.json")
    woven = same(chat)
    assert woven.agents == chat.agents
    assert (woven.steps[0].start_time or "").startswith("2023-11-14")


def test_claude_code(tmp_path: Path) -> None:
    found = only(samples.lines(tmp_path / "s.jsonl", samples.claude_rows()))
    woven = same(found)
    assert [s.start_time for s in woven.steps][4:6] != [None, None]
    samples.lines(tmp_path / "d" / "subagents" / "agent-ab12.jsonl", samples.side_rows())
    same(only(samples.lines(tmp_path / "d.jsonl", samples.delegating_rows())))


def test_a_session_that_went_on_adds_to_what_was_told(tmp_path: Path) -> None:
    rows = samples.claude_rows()
    next(row for row in rows if "main-11" in row.values())["message"]["content"][0]["text"] = "And again."
    whole = retell(only(samples.lines(tmp_path / "s.jsonl", rows)), undated_ns=NOW)
    want = [told(step) for t in reconstruct(whole) for step in t.steps]
    answered = next(n for n, row in enumerate(rows) if "toolu_2" in str(row))  # an answer is told when it is whole
    for end in range(answered + 1, len(rows)):
        before = retell(only(samples.lines(tmp_path / "s.jsonl", rows[:end])), undated_ns=NOW)
        (woven,) = reconstruct([*before, *whole])
        assert [told(step) for step in woven.steps] == want


def test_codex(tmp_path: Path) -> None:
    found = only(samples.lines(tmp_path / "r.jsonl", samples.codex_rows()))
    woven = same(found)
    assert woven.agents == found.agents


def test_atif(tmp_path: Path) -> None:
    found = only(samples.lines(tmp_path / "t.jsonl", [samples.atif_row()]))
    woven = same(found)
    # The file does not say when its sub-agent began; the woven run does.
    assert {
        name: msgspec.structs.replace(agent, since_step=None) for name, agent in woven.agents.items()
    } == found.agents


def test_calls_whose_ids_repeat_stay_apart(tmp_path: Path) -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "ls", "arguments": "{}"}}]}
    turn = [call, {"role": "tool", "tool_call_id": "1", "content": "a"}]
    asked = {"role": "user", "content": "Look."}
    (tmp_path / "c.json").write_text(json.dumps([asked, *turn, *turn, asked, *turn]))
    found = only(tmp_path / "c.json")
    (woven,) = reconstruct(retell(found, undated_ns=NOW))
    assert [(step.role, step.text, step.name) for step in woven.steps] == [
        (step.role, step.text, step.name) for step in found.steps
    ]
    assert len({call.id for step in woven.steps for call in step.tool_calls}) == 3


def test_calls_without_ids_join_no_strangers(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "Look."},
        {"role": "agent", "action": 'ls({"path": "/"})'},
        {"role": "environment", "content": "a"},
    ]
    rows = [
        {"id": number, "contents": [[*turns, {"role": "agent", "action": said}]]} for number, said in enumerate("xyz")
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    cases = list(sniff.read(tmp_path / "rows.json"))
    spans = [span for case in cases for span in retell(case.trajectory, undated_ns=NOW)]
    told = [[(s.role, s.text, s.name) for s in t.steps] for t in reconstruct(spans)]
    assert sorted(told) == sorted([(s.role, s.text, s.name) for s in c.trajectory.steps] for c in cases)


def test_two_chats_of_one_name_stay_two(tmp_path: Path) -> None:
    paths = [tmp_path / name / "chat.json" for name in "ab"]
    other = {"messages": [*CHAT["messages"][:2], {"role": "assistant", "content": "I will not."}]}
    for path, chat in zip(paths, (CHAT, other), strict=True):
        path.parent.mkdir()
        path.write_text(json.dumps(chat))
    spans = [span for path in paths for span in retell(only(path), undated_ns=NOW)]
    assert len(reconstruct(spans)) == 2


@pytest.mark.parametrize("name", [n for n in scenarios(CAPTURES) if not n.endswith(("A_long", "_prev"))])
def test_a_recorded_run(name: str) -> None:
    for trajectory in reconstruct(load(CAPTURES / name)):
        same(trajectory)


words = st.sampled_from(["yes", "go on", "no", "done"])


@st.composite
def runs(draw: st.DrawFn) -> Trajectory:
    """Users who repeat themselves, agents who repeat themselves, calls that are equal but for their ids."""
    steps: list[Step] = []

    def add(**fields: Any) -> None:
        steps.append(Step(id=f"s{len(steps)}", index=len(steps), sources=(f"r:{len(steps)}",), **fields))

    for number in range(draw(st.integers(1, 5))):
        add(role="user", content=draw(words))
        for inner in range(draw(st.integers(0, 3))):
            calls = tuple(
                ToolCall(
                    id=f"c{number}.{inner}.{n}", name=draw(st.sampled_from(["ls", "cat"])), arguments={"a": draw(words)}
                )
                for n in range(draw(st.integers(1, 3)))
            )
            add(role="agent", thought=draw(st.none() | words), tool_calls=calls)
            for call in calls:
                text, failed = draw(words), draw(st.booleans())
                add(role="environment", name=call.name, tool_result=text, tool_call_id=call.id, is_error=failed)
        add(role="agent", content=draw(words))
    return Trajectory(
        id="run",
        digest=repr(steps),
        project="p",
        session_id=draw(st.none() | st.just("s-1")),
        agents={"": Agent(system=draw(st.none() | words))},
        completion="final",
        missing=(),
        scopes=(),
        steps=tuple(steps),
    )


@settings(max_examples=80)
@given(runs())
def test_any_run(trajectory: Trajectory) -> None:
    same(trajectory)


values: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
attributes = st.dictionaries(st.text(max_size=5), values, max_size=4)


@settings(max_examples=60)
@given(attributes, attributes, attributes, st.text(max_size=5))
def test_encoding_is_undone_by_decoding(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any], name: str
) -> None:
    span = Span(
        trace_id="1" * 32,
        span_id="2" * 16,
        parent_id="3" * 16,
        name=name,
        start_ns=5,
        end_ns=7,
        status=2,
        status_message="x",
        span_kind=3,
        attributes=one,
        events=(Event(name=name, time_ns=6, attributes=two),),
        links=(f"{'4' * 32}:{'5' * 16}",),
        dropped=2,
        scope="s",
        scope_version="1",
        resource=three,
    )
    other = msgspec.structs.replace(span, span_id="6" * 16, scope="t")
    assert sorted_by_id(decode_traces(encode_traces([span, other, span]), PROTOBUF).records) == [span, span, other]


def test_log_records_are_encoded_too() -> None:
    logs = [
        record
        for folder in ("A", "B")
        for record in load(CAPTURES / "openai-v2.legacy-events" / folder)
        if isinstance(record, Log)
    ]
    assert logs
    assert sorted_by_id(decode_logs(encode_logs(logs), PROTOBUF).records) == sorted_by_id(logs)


def sorted_by_id(records: Sequence[Any]) -> list[Any]:
    return sorted(records, key=lambda record: record.id)
