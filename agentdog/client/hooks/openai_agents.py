"""openai-agents: a tool guardrail in front of every function tool of an agent.

A guardrail sees the call but not what was said before it. The agent's own hooks see every conversation that the model
is shown, so each call is remembered, by its id, with the conversation that it came out of.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from agents import AgentHooks, FunctionTool, ToolGuardrailFunctionOutput, ToolInputGuardrail

from agentdog.client.gate import Gate

_KEPT = 512  # calls whose conversations are remembered at a time

Messages = list[dict[str, Any]]


def guard(agent: Any, gate: Gate) -> Any:  # noqa: ANN401 - an `agents.Agent` of any context
    """Returns a copy of an agent whose function tools ask first; hand-offs lead to agents that want their own.

    Tools of OpenAI's side (file search, code interpreter …) run there and cannot be asked about here.
    """
    memory = _Memory(agent.hooks)
    guardrail = tool_guardrail(gate, memory)

    def guarded(tool: Any) -> Any:  # noqa: ANN401
        if not isinstance(tool, FunctionTool):
            return tool
        before = [*(tool.tool_input_guardrails or ()), guardrail]
        return _with(tool, tool_input_guardrails=before)

    return agent.clone(tools=[guarded(tool) for tool in agent.tools], hooks=memory)


def tool_guardrail(gate: Gate, memory: _Memory | None = None) -> Any:  # noqa: ANN401 - a `ToolInputGuardrail`
    """Returns the guardrail alone; without `memory` it knows the user's input and not the results of this run."""

    async def check(data: Any) -> Any:  # noqa: ANN401 - the framework's own types
        call = data.context
        messages = memory.before(call.tool_call_id) if memory is not None else None
        answer = await gate.ask_async(
            call.tool_name,
            call.tool_arguments or "{}",
            call_id=call.tool_call_id,
            messages=messages if messages is not None else to_messages(call.turn_input),
            agent=data.agent.name,
        )
        if gate.lets_through(answer):
            return ToolGuardrailFunctionOutput.allow(answer)
        return ToolGuardrailFunctionOutput.reject_content(gate.refusal(call.tool_name, answer), answer)

    return ToolInputGuardrail(guardrail_function=check, name="agentdog")


class _Memory(AgentHooks):  # type: ignore[misc] # the framework is not there where types are checked
    """Remembers each call with the conversation it came out of; hands every event on to the agent's own hooks."""

    def __init__(self, own: Any) -> None:  # noqa: ANN401 - `AgentHooks` or nothing
        self._own = own
        self._shown: OrderedDict[int, Messages] = OrderedDict()
        self._before: OrderedDict[str, Messages] = OrderedDict()

    def before(self, call_id: str) -> Messages | None:
        """Returns the conversation that a call came out of."""
        return self._before.get(call_id)

    async def on_llm_start(self, context: Any, agent: Any, system_prompt: Any, input_items: Any) -> None:  # noqa: ANN401
        system = [{"role": "system", "content": system_prompt}] if system_prompt else []
        _keep(self._shown, id(context), system + to_messages(input_items))
        if self._own is not None:
            await self._own.on_llm_start(context, agent, system_prompt, input_items)

    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:  # noqa: ANN401
        shown = self._shown.pop(id(context), None)
        for item in response.output if shown is not None else ():
            call_id = _field(item, "call_id")
            if call_id:
                _keep(self._before, call_id, shown)
        if self._own is not None:
            await self._own.on_llm_end(context, agent, response)

    async def on_start(self, *given: Any) -> None:  # noqa: ANN401
        await self._on("on_start", given)

    async def on_end(self, *given: Any) -> None:  # noqa: ANN401
        await self._on("on_end", given)

    async def on_handoff(self, *given: Any, **named: Any) -> None:  # noqa: ANN401
        await self._on("on_handoff", given, named)

    async def on_tool_start(self, *given: Any) -> None:  # noqa: ANN401
        await self._on("on_tool_start", given)

    async def on_tool_end(self, *given: Any) -> None:  # noqa: ANN401
        await self._on("on_tool_end", given)

    async def _on(self, event: str, given: Iterable[Any], named: dict[str, Any] | None = None) -> None:
        if self._own is not None:
            await getattr(self._own, event)(*given, **(named or {}))


def to_messages(items: Any) -> Messages:  # noqa: ANN401 - a text, or input items of the Responses interface
    """Turns Responses items into chat messages; what is neither said, called nor answered is left out."""
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    messages: Messages = []
    for item in items:
        kind = _field(item, "type")
        if kind == "function_call":
            call = {"name": _field(item, "name"), "arguments": _field(item, "arguments")}
            messages.append(
                {
                    "role": "assistant",
                    "tool_calls": [{"id": _field(item, "call_id"), "type": "function", "function": call}],
                }
            )
        elif kind == "function_call_output":
            text = _text(_field(item, "output"))
            messages.append({"role": "tool", "tool_call_id": _field(item, "call_id"), "content": text})
        elif _field(item, "role"):
            messages.append({"role": _field(item, "role"), "content": _text(_field(item, "content"))})
    return messages


def _text(content: Any) -> str:  # noqa: ANN401
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text for part in content if isinstance(text := _field(part, "text"), str))
    return json.dumps(content, default=str)


def _field(item: Any, name: str) -> Any:  # noqa: ANN401
    return item.get(name) if isinstance(item, dict) else getattr(item, name, None)


def _keep(kept: OrderedDict[Any, Messages], key: Any, messages: Messages | None) -> None:  # noqa: ANN401
    kept[key] = messages or []
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _with(tool: Any, **changed: Any) -> Any:  # noqa: ANN401
    import dataclasses

    return dataclasses.replace(tool, **changed)
