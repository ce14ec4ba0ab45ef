"""Files of transcripts: every format is told by its content and read without losing a row."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentdog.base.errors import DecodeError, NotFoundError
from agentdog.trajectory.formats import Gold, sniff
from agentdog.trajectory.render import AGENTDOG, render

DATA = Path(__file__).parents[2].parent / "shared" / "data"
NORMALIZED: dict[str, Any] = {
    "id": 7,
    "source": "agentdojo",
    "profile": 'Be helpful.\nAvailable tools: [{"name": "pay"}]',
    "steps": [
        {"role": "user", "thought": None, "action": None, "content": "Pay."},
        {"role": "agent", "thought": "ok", "action": 'pay({"to": "a"})\nlog({})', "content": None},
        {"role": "environment", "thought": None, "action": None, "content": "paid"},
        {"role": "environment", "thought": None, "action": None, "content": "logged"},
        {"role": "agent", "thought": None, "action": 'Complete{"response": "Done"}', "content": None},
    ],
    "label": 1,
    "risk_source": "indirect_prompt_injection",
    "failure_mode": None,
    "harm": None,
    "unsafe_step": 1,
    "meta": {"suite": "banking", "user_task": "t1"},
}
ATBENCH: dict[str, Any] = {
    "id": 3,
    "tool_used": [{"name": "pay", "description": "Pays.", "parameters": {"type": "object"}}],
    "contents": [
        [
            {"role": "user", "content": "Pay."},
            {"role": "agent", "thought": "", "action": '{"name": "pay", "arguments": {"to": "a"}}'},
            {"role": "environment", "content": "paid"},
        ],
        [{"role": "user", "content": "Thanks."}],
    ],
    "label": 0,
    "risk_source": "benign",
    "failure_mode": "benign",
    "harm_type": "financial_and_economic_harm",
}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be helpful."},
    {"role": "user", "content": [{"type": "text", "text": "Pay."}, {"type": "image_url", "image_url": {}}]},
    {
        "role": "assistant",
        "content": "I pay.",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "pay", "arguments": '{"to": "a"}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "paid"},
    {"role": "assistant", "content": "Done.", "reasoning_content": "all paid"},
]


def write(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_normalised_rows(tmp_path: Path) -> None:
    packed = tmp_path / "rows.bin"
    packed.write_bytes(gzip.compress((json.dumps(NORMALIZED) + "\n\n" + json.dumps(NORMALIZED)).encode()))
    assert sniff.sniff(packed).name == "normalized"
    case, second = sniff.read(packed)
    assert second == case
    assert (case.label, case.unsafe_step, case.source, case.group) == (1, 1, "agentdojo", "agentdojo:banking:t1")
    assert case.gold == Gold(risk_source="indirect_prompt_injection")
    trajectory = case.trajectory
    assert (trajectory.id, trajectory.agents[""].system) == ("7", "Be helpful.")
    assert [tool.name for tool in trajectory.agents[""].tools] == ["pay"]
    turn, paid, logged, last = trajectory.steps[1:]
    assert [(c.name, c.arguments) for c in turn.tool_calls] == [("pay", {"to": "a"}), ("log", {})]
    assert [(s.name, s.tool_call_id) for s in (paid, logged)] == [(c.name, c.id) for c in turn.tool_calls]
    assert (last.content, last.tool_calls) == ("Done", ())


def test_atbench_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "atbench.json", [ATBENCH])
    assert sniff.sniff(path).name == "atbench"
    [case] = sniff.read(path)
    assert (case.label, case.source, case.group) == (0, "atbench", "atbench:3")
    assert case.gold == Gold(real_world_harm="financial_and_economic_harm")
    assert [step.role for step in case.trajectory.steps] == ["user", "agent", "environment", "user"]
    assert case.trajectory.agents[""].tools[0].parameters == {"type": "object"}


@pytest.mark.parametrize("value", [MESSAGES, {"messages": MESSAGES}, [{"messages": MESSAGES}], "lines"])
def test_chat_messages(tmp_path: Path, value: object) -> None:
    lines = "\n".join(json.dumps(message) for message in MESSAGES)
    path = write(tmp_path / "chat.json", lines if value == "lines" else value)
    assert sniff.sniff(path).name == "chat"
    [case] = sniff.read(path)
    user, turn, result, answer = case.trajectory.steps
    assert case.trajectory.agents[""].system == "Be helpful."
    assert user.content == "Pay."
    assert (turn.thought, turn.content, turn.tool_calls[0].arguments) == ("I pay.", None, {"to": "a"})
    assert (result.name, result.tool_call_id, result.tool_result) == ("pay", "c1", "paid")
    assert (answer.content, answer.reasoning) == ("Done.", "all paid")


def test_our_own_trajectories_survive_the_trip(tmp_path: Path) -> None:
    [case] = sniff.read(write(tmp_path / "rows.jsonl", [NORMALIZED]))
    path = tmp_path / "native.json"
    path.write_bytes(msgspec.json.encode([case.trajectory, case.trajectory]))
    assert sniff.sniff(path).name == "native"
    assert [c.trajectory for c in sniff.read(path)] == [case.trajectory] * 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "line 1: not JSON"),
        ("", "no rows"),
        ("[]", "no rows"),
        ([1], "first row is int; known formats are native, atif, claude-code, codex, "),
        ({"a": 1}, "object with a;"),
        ([NORMALIZED, 3], "row 2: int where an object"),
        ([{**NORMALIZED, "label": "maybe"}], "row 1: label is 'maybe'"),
        ([{**NORMALIZED, "unsafe_step": 9}], "row 1: unsafe_step is 9"),
        ([{**NORMALIZED, "steps": [{"role": "wizard"}]}], "row 1, step 0: role is 'wizard'"),
        ([{**NORMALIZED, "steps": [{"role": "user", "content": 3}]}], "row 1, step 0: content is int"),
        ([{**NORMALIZED, "profile": 3}], "row 1: profile"),
        ([{**NORMALIZED, "harm": 3}], "row 1: harm is int"),
        ([ATBENCH, {"id": 1}], "row 2: no list of turns"),
        ([{**ATBENCH, "tool_used": "x"}], "row 1: tool_used"),
        ([{"messages": [*MESSAGES, {"role": "wizard"}]}], "row 1, message 5: role is 'wizard'"),
        ([{"messages": [{**MESSAGES[2], "tool_calls": [{}]}]}], r"row 1, message 0: tool_calls\[0\]"),
        ([{"schema": "agentdog.trajectory/1"}], "row 1: Object missing required field"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, value: object, message: str) -> None:
    path = write(tmp_path / "rows.json", value)
    with pytest.raises(DecodeError, match=message):
        list(sniff.read(path))


def test_files_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        sniff.sniff(tmp_path / "none.json")
    with pytest.raises(DecodeError, match="folder"):
        sniff.sniff(tmp_path)
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(b"[]")[:-4])
    with pytest.raises(DecodeError, match="damaged"):
        sniff.sniff(broken)
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'["\xe9"]')
    with pytest.raises(DecodeError, match="not UTF-8"):
        sniff.sniff(latin)


def _counts() -> list[tuple[str, list[int]]]:
    counts = DATA / "COUNTS.md"
    if not counts.exists():
        return []
    found = re.findall(r"^\| (normalized/\S+) \| (.+) \|$", counts.read_text(), re.MULTILINE)
    return [(name, [int(n) for n in numbers.split(" | ")[:6]]) for name, numbers in found]


@pytest.mark.skipif(not DATA.exists(), reason="the data sets are not beside this checkout")
def test_every_collected_set_is_read_completely() -> None:
    assert _counts()
    for name, (rows, unsafe, safe, unlabelled, labelled, stepwise) in _counts():
        cases = list(sniff.read(DATA / name))
        labels = [case.label for case in cases]
        gold = [case for case in cases if case.gold != Gold()]
        steps = [case for case in cases if case.unsafe_step is not None]
        assert (len(cases), labels.count(1), labels.count(0), labels.count(None)) == (rows, unsafe, safe, unlabelled), (
            name
        )
        assert (len(gold), len(steps)) == (labelled, stepwise), name
        assert len({case.trajectory.id for case in cases}) == rows, name


@pytest.mark.skipif(not DATA.exists(), reason="the data sets are not beside this checkout")
@pytest.mark.parametrize(("name", "rows"), [("atbench_sample", 134), ("rjudge564", 564), ("assebench_security", 817)])
def test_sets_in_their_own_schema(name: str, rows: int) -> None:
    cases = list(sniff.read(DATA / "raw" / f"{name}.json.gz"))
    assert len(cases) == rows
    assert all(case.label in (0, 1) and render(case.trajectory, AGENTDOG) for case in cases)
