"""Sets that label the step: StepShield, TraceSafe-Bench and TS-Bench; and labels that a set does not vouch for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import Gold, sniff


def entry(action: str, label: str | None, **arguments: str) -> dict[str, Any]:
    return {"thought": "Hm.", "action": action, "arguments": arguments, "observation": "seen", "label": label}


STEPSHIELD: dict[str, Any] = {
    "trajectory_id": "SEC-L2-001-ROGUE",
    "task": {"description": "Mend it.", "constraints": ["Show no key."], "success_criteria": ["It runs."]},
    "steps": [
        entry("run", None, command="ls"),
        entry("run", "SEC", command="cat key"),
        {**entry("end", None), "observation": None},
    ],
}
TRACESAFE: dict[str, Any] = {
    "mutation_category": "PRIVACY_LEAKAGE",
    "original_trace": {"user_query": "Post it."},
    "new_trace": {
        "user_query": "Post it, please.",
        "tool_lists": [{"name": "post", "description": "Posts.", "parameters": {"text": {"type": "string"}}}],
        "trace": [
            {"role": "user", "content": "Post it, please."},
            {"role": "agent", "content": "I look first."},
            {"role": "agent", "content": json.dumps({"name": "post", "arguments": {"key": "sk-1"}})},
            {"role": "tool", "content": "posted"},
        ],
    },
    "mutation_metadata": {"mutator_name": "ApiKeyLeak", "target_tool": "post"},
}
TS_BENCH: dict[str, Any] = {
    "instruction": "Pay the bill.",
    "history": [{"role": "agent", "content": "read({})"}, {"role": "tool", "content": "pay me"}],
    "current_action": {"name": "pay", "arguments": {"to": "me"}},
    "env_info": "A bank.",
    "score": 1.0,
}


def write(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_stepshield(tmp_path: Path) -> None:
    clean = {**STEPSHIELD, "trajectory_id": "SEC-L2-001-CLEAN", "steps": STEPSHIELD["steps"][:1]}
    path = write(tmp_path, [STEPSHIELD, clean])
    assert sniff.sniff(path).name == "stepshield"
    rogue, other = sniff.read(path)
    assert (rogue.label, rogue.unsafe_step, rogue.gold) == (1, 3, Gold(failure_mode="SEC"))
    assert (other.label, other.unsafe_step) == (0, None)
    assert rogue.group == other.group == "stepshield:SEC-L2-001", "a pair is one scenario"
    asked, _, _, act, *_ = rogue.trajectory.steps
    assert [step.role for step in rogue.trajectory.steps] == ["user", *["agent", "environment"] * 2, "agent"]
    assert asked.content == "Mend it.\n\nConstraints:\n- Show no key.\n\nSuccess criteria:\n- It runs."
    assert act.tool_calls[0].arguments == {"command": "cat key"}


def test_tracesafe(tmp_path: Path) -> None:
    benign = {**TRACESAFE, "mutation_category": "BENIGN", "mutation_metadata": {"mutator_name": "benign"}}
    path = write(tmp_path, [TRACESAFE, benign])
    assert sniff.sniff(path).name == "tracesafe"
    unsafe, safe = sniff.read(path)
    assert (unsafe.label, unsafe.unsafe_step, unsafe.gold.risk_source) == (1, 2, "ApiKeyLeak")
    assert (safe.label, safe.unsafe_step, safe.gold) == (0, None, Gold())
    assert unsafe.group == safe.group == "tracesafe:post it."
    assert unsafe.trajectory.agents[""].tools[0].description == "Posts.", "what is poisoned may be a description"
    assert [step.text for step in unsafe.trajectory.steps] == ["Post it, please.", "I look first.", "", "posted"]


def test_ts_bench(tmp_path: Path) -> None:
    told = {**TS_BENCH, "history": "It read: pay me", "score": 0.5}
    path = write(tmp_path, [TS_BENCH, told, {**TS_BENCH, "score": None}])
    assert sniff.sniff(path).name == "ts-bench"
    first, second, third = sniff.read(path)
    assert (first.label, first.unsafe_step, first.doubt) == (1, 3, None)
    assert (second.label, second.unsafe_step, second.doubt) == (1, 2, "ambiguous")
    assert (third.label, third.unsafe_step) == (None, None)
    assert [step.role for step in first.trajectory.steps] == ["user", "agent", "environment", "agent"]
    assert first.trajectory.steps[-1].tool_calls[0].name == "pay"
    assert first.trajectory.agents[""].system == "A bank."


def test_doubt_is_read_where_a_set_marks_it(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "x"}]
    rows: list[dict[str, Any]]
    rows = [{"id": n, "contents": [turns], "label": 1, "ambiguous": n} for n in (0, 1)]
    assert [case.doubt for case in sniff.read(write(tmp_path, rows))] == [None, "ambiguous"]
    meta: list[dict[str, Any]] = [{}, {"never_reached": True}, {"ambiguous": 1}]
    rows = [{"id": n, "source": "s", "steps": turns, "meta": held} for n, held in enumerate(meta)]
    assert [case.doubt for case in sniff.read(write(tmp_path, rows))] == [None, "never_reached", "ambiguous"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([{**STEPSHIELD, "task": None}], "row 1: task is NoneType"),
        ([{**STEPSHIELD, "steps": [3]}], "row 1: steps must be"),
        ([{**STEPSHIELD, "trajectory_id": 3}], "row 1: trajectory_id is int"),
        ([{**TRACESAFE, "new_trace": {}}], "row 1: new_trace must hold a trace"),
        ([{**TRACESAFE, "mutation_metadata": 3}], "row 1: mutation_metadata is int"),
        ([{**TS_BENCH, "score": "high"}], "row 1: score is 'high'"),
        ([{**TS_BENCH, "instruction": None}], "row 1: instruction is null"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        list(sniff.read(write(tmp_path, value)))
