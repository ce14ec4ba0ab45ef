"""langgraph and langchain: a wrapper around every tool call, for ``ToolNode`` and as middleware of ``create_agent``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import ToolMessage

from agentdog.client.gate import Gate

Handler = Callable[[Any], Any]
AsyncHandler = Callable[[Any], Awaitable[Any]]
_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}


def wrap_tool_call(gate: Gate) -> Callable[[Any, Handler], Any]:
    """Returns what ``ToolNode(tools, wrap_tool_call=…)`` wants."""

    def wrapped(request: Any, handler: Handler) -> Any:  # noqa: ANN401 - the framework's own types
        answer = gate.ask(**_asked(request))
        return handler(request) if gate.lets_through(answer) else _refused(request, gate, answer)

    return wrapped


def awrap_tool_call(gate: Gate) -> Callable[[Any, AsyncHandler], Awaitable[Any]]:
    """Returns what ``ToolNode(tools, awrap_tool_call=…)`` wants."""

    async def wrapped(request: Any, handler: AsyncHandler) -> Any:  # noqa: ANN401
        answer = await gate.ask_async(**_asked(request))
        return await handler(request) if gate.lets_through(answer) else _refused(request, gate, answer)

    return wrapped


def middleware(gate: Gate) -> Any:  # noqa: ANN401 - an `AgentMiddleware`
    """Returns the middleware for ``create_agent(…, middleware=[…])``; put it last, to see what is really run."""
    from langchain.agents.middleware import AgentMiddleware

    class Guarded(AgentMiddleware):  # type: ignore[misc] # the framework is not there where types are checked
        """Asks before every tool call."""

        def wrap_tool_call(self, request: Any, handler: Handler) -> Any:  # noqa: ANN401
            return wrap_tool_call(gate)(request, handler)

        async def awrap_tool_call(self, request: Any, handler: AsyncHandler) -> Any:  # noqa: ANN401
            return await awrap_tool_call(gate)(request, handler)

    return Guarded()


def _asked(request: Any) -> dict[str, Any]:  # noqa: ANN401
    call, state = request.tool_call, request.state
    told = state.get("messages", []) if isinstance(state, dict) else getattr(state, "messages", state)
    return {
        "tool": call["name"],
        "arguments": call["args"],
        "call_id": call.get("id"),
        "messages": [_message(each) for each in told or []],
    }


def _message(message: Any) -> dict[str, Any]:  # noqa: ANN401
    said: dict[str, Any] = {"role": _ROLES.get(message.type, "user"), "content": _text(message.content)}
    if message.type == "tool":
        return said | {"tool_call_id": message.tool_call_id}
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["args"]}}
        for call in getattr(message, "tool_calls", None) or ()
    ]
    return said | {"tool_calls": calls} if calls else said


def _text(content: Any) -> str:  # noqa: ANN401
    """Texts of a message; pictures and the like are left out."""
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, str) else part.get("text", "") for part in content]
    return "\n".join(part for part in parts if part)


def _refused(request: Any, gate: Gate, answer: Any) -> Any:  # noqa: ANN401
    call = request.tool_call
    text = gate.refusal(call["name"], answer)
    return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")
