"""Turns as ATBench, R-Judge and ASSEBench write them, into a `Trajectory`.

A turn is ``{"role", "content"}`` of a user or the environment, or ``{"role": "agent", "thought", "action"}``
(arXiv 2601.18491; the schema of the official moderation example). Invariant: one step per turn, in order, so that
indices of step labels hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from agentdog.base.errors import DecodeError
from agentdog.base.ids import canonical_json, digest
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.actions import parse_action, told_calls
from agentdog.trajectory.model import Agent, Role, Step, Tool, ToolCall, Trajectory

_ROLES = {
    "user": "user",
    "human": "user",
    "agent": "agent",
    "assistant": "agent",
    "environment": "environment",
    "tool": "environment",
    "tool_output": "environment",
}
_CLOSING = ("Final Answer", "Complete")
_TOOLS_MARK = "Available tools:"


def from_turns(
    row_id: str,
    turns: Sequence[Mapping[str, Any]],
    *,
    source: str,
    where: str,
    profile: str | None = None,
    tools: tuple[Tool, ...] = (),
) -> Trajectory:
    """Builds a trajectory from turns.

    Args:
        row_id: the row's id in its file.
        turns: the turns in order.
        source: name of the data set; becomes the project.
        where: file and row, for error messages.
        profile: the system prompt; a closing ``Available tools: [...]`` in it is taken out as tools.
        tools: the tools of the row, where the file has them apart.

    Raises:
        DecodeError: when a turn has no known role, or a text field holds no text.
    """
    steps: list[Step] = []
    waiting: list[ToolCall] = []
    for index, turn in enumerate(turns):
        step = _step(turn, index, row_id, f"{where}, step {index}")
        if step.role == "agent":
            waiting = list(step.tool_calls)
        elif step.role == "environment" and waiting:
            # The notation has no call ids: results come in the order of the calls of the turn before.
            call = waiting.pop(0)
            step = _answering(step, call)
        steps.append(step)
    if profile is not None and not tools:
        profile, tools = split_profile(profile)
    return Trajectory(
        id=row_id,
        digest=digest("turns", canonical_json([profile, msgspec.to_builtins(tools), list(turns)])),
        project=source,
        agents={"": Agent(system=profile or None, tools=tools)},
        completion="final",
        missing=(),
        scopes=(),
        steps=tuple(steps),
    )


def _answering(step: Step, call: ToolCall) -> Step:
    return Step(
        id=step.id,
        index=step.index,
        role=step.role,
        name=call.name,
        tool_result=step.tool_result,
        tool_call_id=call.id,
        sources=step.sources,
    )


def _step(turn: Mapping[str, Any], index: int, row_id: str, where: str) -> Step:
    role = _ROLES.get(str(turn.get("role")).lower())
    if role is None:
        raise DecodeError(f"{where}: role is {turn.get('role')!r}; expected user, agent or environment")
    content, thought, action = (_text(turn, key, where) for key in ("content", "thought", "action"))
    step_id, sources = f"s{index}", (f"row:{row_id}:{index}",)
    if role == "user":
        return Step(id=step_id, index=index, role=cast(Role, role), content=content, sources=sources)
    if role == "environment":
        return Step(id=step_id, index=index, role=cast(Role, role), tool_result=content or "", sources=sources)
    parsed = parse_action(action) if action else told_calls(content) if content and not thought else None
    calls = parsed.calls if parsed else ()
    answer = parsed.answer if parsed else None
    return Step(
        id=step_id,
        index=index,
        role=cast(Role, role),
        thought=thought or None,
        content="\n".join(t for t in (content, answer) if t) or None,
        tool_calls=tuple(
            ToolCall(id=f"{step_id}.{n}", id_synthetic=True, name=c.name, arguments=c.arguments, arguments_raw=c.raw)
            for n, c in enumerate(calls)
        ),
        sources=sources,
    )


def _text(turn: Mapping[str, Any], key: str, where: str) -> str | None:
    value = turn.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    raise DecodeError(f"{where}: {key} is {type(value).__name__}; expected text")


def closes(turns: Sequence[Mapping[str, Any]]) -> bool:
    """Tells whether the last agent turn only ends the run: no action, or one that this notation has for an answer."""
    last: Mapping[str, Any] = next(
        (turn for turn in reversed(turns) if _ROLES.get(str(turn.get("role")).lower()) == "agent"), {}
    )
    action = last.get("action")
    return not (isinstance(action, str) and action.strip()) or action.strip().startswith(_CLOSING)


def split_profile(profile: str) -> tuple[str | None, tuple[Tool, ...]]:
    """Takes a closing ``Available tools: [JSON list]`` out of a system prompt; anything else stays as it is."""
    head, mark, tail = profile.rpartition(_TOOLS_MARK)
    if not mark:
        return profile, ()
    try:
        listed = json.loads(tail)
    except ValueError:
        return profile, ()
    tools = tools_of(listed)
    return (head.strip() or None, tools) if tools else (profile, ())


def tools_of(listed: object) -> tuple[Tool, ...]:
    """Reads tool specifications, bare or wrapped as ``{"function": {…}}``, or JSON text of such.

    What has no name is left out, but for text that is no JSON: that is a name.
    """
    listed = files.decoded(listed) if isinstance(listed, str) else listed
    tools = []
    for item in listed if isinstance(listed, list) else ():
        told = files.decoded(item) if isinstance(item, str) else item
        if isinstance(told, str) and told.strip():
            tools.append(Tool(name=told.strip()))
            continue
        spec = told.get("function", told) if isinstance(told, dict) else None
        if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
            continue
        description, parameters = spec.get("description"), spec.get("parameters")
        tools.append(
            Tool(
                name=spec["name"],
                description=description if isinstance(description, str) else None,
                parameters=parameters if isinstance(parameters, dict) else None,
            )
        )
    return tuple(tools)
