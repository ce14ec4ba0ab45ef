"""What was before a pending call, as a trajectory that ends in it.

Invariant: the pending call is the last step, exactly once, also where the telemetry has told it already; nothing that
the telemetry tells after it is looked at.
"""

from __future__ import annotations

from typing import Any

import msgspec

from agentdog.base.errors import DecodeError, UsageError
from agentdog.base.ids import digest
from agentdog.service.inline.model import Action, Asked
from agentdog.trajectory import Step, ToolCall, Trajectory
from agentdog.trajectory.formats import chat
from agentdog.trajectory.formats.actions import decode_object

#: Id of the step that holds the pending call.
PENDING = "pending"
_INLINE = "inline"


def call_of(action: Action) -> ToolCall:
    """Returns the pending call; arguments that are no JSON object stay as text."""
    given = action.arguments
    decoded = given if isinstance(given, dict) else decode_object(given)
    return ToolCall(
        id=action.id or PENDING,
        id_synthetic=action.id is None,
        name=action.tool,
        arguments=decoded or {},
        arguments_raw=given if isinstance(given, str) and decoded is None and given.strip() else None,
    )


def from_messages(asked: Asked, project: str) -> Trajectory:
    """Reads what the caller sent.

    Raises:
        UsageError: naming the message and field that do not fit.
    """
    messages = [_flat(part) for message in asked.messages or () for part in _openai(message)]
    row: dict[str, Any] = {"messages": messages, "tools": asked.tools or [], "id": _INLINE}
    try:
        trajectory = chat.to_case(row, "messages", project, 1).trajectory
    except DecodeError as error:
        raise UsageError(str(error).replace("messages, ", "", 1)) from error
    return _ending_in(trajectory, asked)


def from_stored(stored: Trajectory, asked: Asked) -> Trajectory:
    """Cuts a stored run where the call is made: at its end, or where the telemetry has told the call already."""
    wanted, by_id = call_of(asked.action), asked.action.id is not None
    answered = {step.tool_call_id for step in stored.steps}
    for step in reversed(stored.steps):
        told = [call for call in step.tool_calls if _same(call, wanted, by_id)]
        # One like it that was answered already is an earlier call.
        if told and (by_id or any(call.id not in answered for call in told)):
            return _ending_in(msgspec.structs.replace(stored, steps=stored.steps[: step.index]), asked)
    return _ending_in(stored, asked)


def bare(asked: Asked, project: str) -> Trajectory:
    """Returns the call alone, where nothing is known of what was before."""
    empty = Trajectory(
        id=_INLINE, digest="", project=project, agents={}, completion="open", missing=(), scopes=(), steps=()
    )
    return _ending_in(empty, asked)


def _same(call: ToolCall, wanted: ToolCall, by_id: bool) -> bool:
    return call.id == wanted.id if by_id else (call.name, call.arguments) == (wanted.name, wanted.arguments)


def _ending_in(trajectory: Trajectory, asked: Asked) -> Trajectory:
    steps = trajectory.steps
    last = steps[-1] if steps else None
    thought = asked.thought
    wanted = call_of(asked.action)
    if (
        last is not None
        and last.role == "agent"
        and any(_same(c, wanted, bool(asked.action.id)) for c in last.tool_calls)
    ):
        steps, thought = steps[:-1], thought or last.thought  # the caller sent the model's turn with the call in it
    pending = Step(
        id=PENDING,
        index=len(steps),
        role="agent",
        thought=thought,
        tool_calls=(wanted,),
        agent=asked.agent,
        sources=(),
    )
    key = digest(trajectory.digest, PENDING)
    return msgspec.structs.replace(trajectory, steps=(*steps, pending), digest=key, completion="open")


def _openai(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Turns Anthropic's content blocks (``tool_use``, ``tool_result``) into OpenAI's messages; others stay."""
    content = message.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    kinds = {block.get("type") for block in blocks}
    if not kinds & {"tool_use", "tool_result"}:
        return [message]
    results = [
        {"role": "tool", "tool_call_id": b.get("tool_use_id"), "content": b.get("content")}
        for b in blocks
        if b.get("type") == "tool_result"
    ]
    calls = [
        {"id": b.get("id"), "type": "function", "function": {"name": b.get("name"), "arguments": b.get("input") or {}}}
        for b in blocks
        if b.get("type") == "tool_use"
    ]
    texts = [b for b in blocks if b.get("type") not in ("tool_use", "tool_result")]
    rest: dict[str, Any] = {"role": message.get("role"), "content": texts}
    if calls:
        rest["tool_calls"] = calls
    return [*results, rest] if texts or calls else results


def _flat(message: dict[str, Any]) -> dict[str, Any]:
    """A result that is structure (or nothing) is read as its JSON text."""
    content = message.get("content")
    if message.get("role") in ("tool", "function") and isinstance(content, dict | int | float):
        return message | {"content": msgspec.json.encode(content).decode()}
    return message
