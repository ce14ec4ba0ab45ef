"""pydantic-ai: a capability of the agent that asks before every tool is executed, whichever toolset it comes from."""

from __future__ import annotations

import json
from typing import Any

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import SkipToolExecution

from agentdog.client.gate import Gate


def capability(gate: Gate) -> Any:  # noqa: ANN401 - an `AbstractCapability` of any dependencies
    """Returns the capability for ``Agent(…, capabilities=[…])``."""
    return Guarded(gate)


class Guarded(AbstractCapability):  # type: ignore[misc] # the framework is not there where types are checked
    """Asks before every tool call; a refusal takes the place of the tool's result."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def before_tool_execute(self, ctx: Any, *, call: Any, tool_def: Any, args: Any) -> Any:  # noqa: ANN401
        """Lets the call through, or skips it."""
        arguments = args if isinstance(args, dict) else call.args_as_dict()
        answer = await self._gate.ask_async(
            call.tool_name,
            json.loads(json.dumps(arguments, default=str)),
            call_id=call.tool_call_id,
            messages=to_messages(ctx.messages),
            agent=getattr(ctx.agent, "name", None),
        )
        if not self._gate.lets_through(answer):
            raise SkipToolExecution(self._gate.refusal(call.tool_name, answer))
        return args


def to_messages(history: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - `ModelMessage`s
    """Turns the framework's messages into chat messages."""
    messages: list[dict[str, Any]] = []
    for message in history:
        if message.kind == "response":
            messages.append(_response(message))
            continue
        if getattr(message, "instructions", None) and not messages:
            messages.append({"role": "system", "content": str(message.instructions)})
        for part in message.parts:
            messages += _request(part)
    return messages


def _response(message: Any) -> dict[str, Any]:  # noqa: ANN401
    texts = [part.content for part in message.parts if part.part_kind == "text"]
    calls = [
        {
            "id": part.tool_call_id,
            "type": "function",
            "function": {"name": part.tool_name, "arguments": part.args_as_json_str()},
        }
        for part in message.parts
        if part.part_kind == "tool-call"
    ]
    said: dict[str, Any] = {"role": "assistant", "content": "\n".join(texts) or None}
    return said | {"tool_calls": calls} if calls else said


def _request(part: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    if part.part_kind == "system-prompt":
        return [{"role": "system", "content": part.content}]
    if part.part_kind == "user-prompt":
        texts = [part.content] if isinstance(part.content, str) else [c for c in part.content if isinstance(c, str)]
        return [{"role": "user", "content": "\n".join(texts)}]
    if part.part_kind == "tool-return":
        return [{"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response_str()}]
    if part.part_kind == "retry-prompt" and part.tool_name:
        return [{"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response()}]
    return []
