"""Trajectories out as ATBench rows, and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentdog.trajectory import Agent, Step, Tool, ToolCall, Trajectory
from agentdog.trajectory.formats import atbench
from agentdog.trajectory.formats.atbench_row import to_row

CALL = ToolCall(id="c1", name="send_email", arguments={"to": "a@b.example", "n": 3, "x": ["ü", None]})
OTHER = ToolCall(id="c2", name="read_file", arguments={"path": "a.txt"})


def run(*rows: dict[str, object]) -> Trajectory:
    steps = tuple(Step(id=f"s{i}", index=i, sources=(), **row) for i, row in enumerate(rows))  # type: ignore[arg-type]
    tools = (Tool(name="send_email", description="Sends.", parameters={"type": "object"}),)
    agents = {"bot": Agent(system="Be good.", tools=tools)}
    return Trajectory(
        id="t1", digest="d", project="p", agents=agents, completion="final", missing=(), scopes=(), steps=steps
    )


def told(trajectory: Trajectory) -> list[object]:
    return [
        (step.role, step.text, [(call.name, call.arguments, call.arguments_raw) for call in step.tool_calls])
        for step in trajectory.steps
    ]


@pytest.mark.parametrize(
    "answer", ["Done: sent.", 'send_email{"to": "x"}', "run: ls", "", "Complete{", "```bash\nls\n```", "line\nline"]
)
def test_a_row_reads_back_as_the_same_steps(answer: str, tmp_path: Path) -> None:
    trajectory = run(
        {"role": "user", "content": "Send it."},
        {"role": "agent", "thought": "I will.", "tool_calls": (CALL,)},
        {"role": "environment", "name": "send_email", "tool_call_id": "c1", "tool_result": "ok"},
        {"role": "agent", "tool_calls": (CALL, OTHER)},
        {"role": "environment", "name": "send_email", "tool_result": "ok"},
        {"role": "environment", "name": "read_file", "tool_result": "", "error": "FileNotFoundError"},
        {"role": "agent", "content": answer or None},
    )
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(to_row(trajectory, label=1, failure_mode="unsafe_tool_use")), "utf-8")
    (case,) = atbench.read(path)
    expected = told(trajectory)
    expected[5] = ("environment", "FileNotFoundError", [])
    assert told(case.trajectory) == expected
    assert (case.label, case.gold.failure_mode, case.gold.risk_source) == (1, "unsafe_tool_use", None)
    assert case.trajectory.agents[""].tools[0].name == "send_email"
    assert case.trajectory.agents[""].system == "Be good."
