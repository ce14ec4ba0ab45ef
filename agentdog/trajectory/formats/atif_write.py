"""A trajectory as ATIF-v1.7, so that Harbor and whatever else reads the format can take it; the reader is `atif`.

Invariant: what is read back has the same roles, texts, calls, arguments and results in the same order. What the format
has no field for (our ids, threads of sub-agents, who of several agents acted) stands in ``extra``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from agentdog.trajectory.model import Step, Tool, ToolCall, Trajectory

VERSION = "ATIF-v1.7"
#: Telemetry names no version of the agent, and the format demands one.
_NO_VERSION = "unknown"


def to_atif(trajectory: Trajectory, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the object; `extra` is put beside what the format knows."""
    names = [name for name in trajectory.agents if name]
    agent: dict[str, Any] = {"name": names[0] if names else "agent", "version": _NO_VERSION}
    tools = {tool.name: tool for each in trajectory.agents.values() for tool in each.tools}
    if tools:
        agent["tool_definitions"] = [{"type": "function", "function": _definition(tool)} for tool in tools.values()]
    steps: list[dict[str, Any]] = [
        {"source": "system", "message": each.system} for each in trajectory.agents.values() if each.system
    ]
    for step in trajectory.steps:
        _add(steps, step)
    for number, each in enumerate(steps, 1):
        each["step_id"] = number
    row: dict[str, Any] = {
        "schema_version": VERSION,
        "trajectory_id": trajectory.id,
        "session_id": trajectory.session_id or trajectory.id,
        "agent": agent,
        "steps": steps,
    }
    return row | {"extra": {"project": trajectory.project, **(extra or {})}}


def _add(steps: list[dict[str, Any]], step: Step) -> None:
    if step.role == "user":
        steps.append(_head(step, "user") | {"message": step.content or ""})
    elif step.role == "agent":
        steps.append(_agent(step))
    else:
        _observe(steps, step)


def _head(step: Step, source: str) -> dict[str, Any]:
    head: dict[str, Any] = {"source": source}
    if step.start_time:
        head["timestamp"] = step.start_time
    ours = {"id": step.id, "agent": step.agent, "thread": step.thread, "parent_call_id": step.parent_call_id}
    head["extra"] = {key: value for key, value in ours.items() if value}
    return head


def _agent(step: Step) -> dict[str, Any]:
    told = _head(step, "agent") | {"message": "\n".join(t for t in (step.thought, step.content) if t)}
    if step.reasoning:
        told["reasoning_content"] = step.reasoning
    if step.tool_calls:
        told["tool_calls"] = [_call(call) for call in step.tool_calls]
    return told


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = {"raw": call.arguments_raw} if call.arguments_raw is not None else call.arguments
    return {"tool_call_id": call.id, "function_name": call.name, "arguments": arguments}


def _observe(steps: list[dict[str, Any]], step: Step) -> None:
    """A result stands in the step of its call, else in the last one of an agent, else in a step of its own."""
    content = "\n".join(t for t in (step.tool_result, step.error) if t)
    asked = step.tool_call_id
    for each in reversed(steps):
        if asked is not None and any(call["tool_call_id"] == asked for call in each.get("tool_calls", ())):
            _result(each, {"source_call_id": asked, "content": content})
            return
    last = next((each for each in reversed(steps) if each["source"] == "agent"), None)
    if last is None:
        last = _head(step, "agent") | {"message": ""}
        steps.append(last)
    _result(last, {"content": content})


def _result(told: dict[str, Any], result: dict[str, Any]) -> None:
    told.setdefault("observation", {"results": []})["results"].append(result)


def _definition(tool: Tool) -> dict[str, Any]:
    known: dict[str, Any] = msgspec.to_builtins(tool)
    return {key: value for key, value in known.items() if key != "since_step"}
