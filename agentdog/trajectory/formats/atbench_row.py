"""A trajectory as a row in ATBench's schema, so that it can be read by whatever reads those rows.

Invariants: one turn per step, in order, so that indices hold; the row read back has the same roles, texts, calls and
arguments. What the notation cannot hold (times, ids, hidden reasoning, who of several agents acted) is left out.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from agentdog.trajectory.formats.actions import parse_action
from agentdog.trajectory.model import Step, ToolCall, Trajectory


def to_row(
    trajectory: Trajectory,
    *,
    label: int | None = None,
    risk_source: str | None = None,
    failure_mode: str | None = None,
    real_world_harm: str | None = None,
) -> dict[str, Any]:
    """Returns the row: ``{"id", "profile"?, "tool_used", "contents": [[turn, …]], "label"?, axes…}``.

    Args:
        trajectory: any.
        label: 1 unsafe, 0 safe, `None` unknown.
        risk_source: taxonomy id, where known.
        failure_mode: likewise.
        real_world_harm: likewise.
    """
    profiles = [agent.system for agent in trajectory.agents.values() if agent.system]
    tools = {tool.name: tool for agent in trajectory.agents.values() for tool in agent.tools}
    row: dict[str, Any] = {
        "id": trajectory.id,
        "tool_used": [
            {key: value for key, value in msgspec.to_builtins(tool).items() if key != "since_step"}
            for tool in tools.values()
        ],
        "contents": [[_turn(step) for step in trajectory.steps]],
    }
    if profiles:
        row["profile"] = "\n\n".join(profiles)
    named = {"risk_source": risk_source, "failure_mode": failure_mode, "real_world_harm": real_world_harm}
    return row | {"label": label} | {axis: value for axis, value in named.items() if value}


def _turn(step: Step) -> dict[str, Any]:
    if step.role == "user":
        return {"role": "user", "content": step.content or ""}
    if step.role == "environment":
        result = "\n".join(text for text in (step.tool_result, step.error) if text)
        return {"role": "environment", "content": result}
    thought = "\n".join(text for text in (step.thought, step.content if step.tool_calls else None) if text)
    turn: dict[str, Any] = {"role": "agent", "thought": thought}
    if step.tool_calls:
        turn["action"] = _action(step.tool_calls)
    elif step.content:
        # What reads like a call would be read as one; said in so many words it is an answer.
        plain = parse_action(step.content).answer == step.content
        turn["action"] = (
            step.content if plain else f"Complete{json.dumps({'response': step.content}, ensure_ascii=False)}"
        )
    return turn


def _action(calls: tuple[ToolCall, ...]) -> str:
    written = [{"name": call.name, "arguments": call.arguments_raw or call.arguments} for call in calls]
    return json.dumps(written[0] if len(written) == 1 else written, ensure_ascii=False)
