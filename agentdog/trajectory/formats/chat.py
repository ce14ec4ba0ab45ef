"""OpenAI chat messages: a list of messages, or ``{"messages": […], "tools": […]}``; one, a list of them, or lines.

Roles are those of the Chat Completions API: system or developer (the profile), user, assistant (content and
``tool_calls``), tool and the older function.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentdog.base.errors import DecodeError
from agentdog.base.ids import canonical_json, digest
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.actions import decode_object
from agentdog.trajectory.formats.case import Case
from agentdog.trajectory.formats.turns import tools_of
from agentdog.trajectory.model import Agent, Step, ToolCall, Trajectory

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


def is_message(value: object) -> bool:
    """Tells whether a JSON value looks like one chat message."""
    return isinstance(value, dict) and _known(value.get("role")) and ("content" in value or "tool_calls" in value)


def _known(role: object) -> bool:
    return isinstance(role, str) and role in _ROLES


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like one chat: a list of messages, or an object that holds one."""
    messages = value.get("messages") if isinstance(value, dict) else value
    return isinstance(messages, list) and bool(messages) and is_message(messages[0])


def read(path: Path) -> Iterator[Case]:
    """Reads every chat.

    Raises:
        DecodeError: naming row, message and field, when one does not fit.
    """
    shape, values = files.read_values(path)
    if values and is_message(values[0]):
        values = [values]  # the file is one chat, its messages in a list or one a line
    source = path.name.split(".")[0]
    for number, value in enumerate(values, 1):
        where = f"{path.name}, row {number}"
        chat = value if isinstance(value, dict) else {"messages": value}
        if not is_row(chat):
            raise DecodeError(f"{where}: no list of messages with a role ({shape})")
        yield to_case(chat, where, source, number)


def to_case(chat: dict[str, Any], where: str, source: str, number: int) -> Case:
    """Turns one chat into a case; raises `DecodeError` naming message and field."""
    system: list[str] = []
    steps: list[Step] = []
    names: dict[str, str] = {}
    for index, message in enumerate(chat["messages"]):
        place = f"{where}, message {index}"
        if not isinstance(message, dict) or not _known(message.get("role")):
            role = message.get("role") if isinstance(message, dict) else None
            raise DecodeError(f"{place}: role is {role!r}; expected one of {', '.join(sorted(_ROLES))}")
        if message["role"] in ("system", "developer"):
            system.append(_text(message, place) or "")
            continue
        step = _step(message, len(steps), place, names)
        names.update({call.id: call.name for call in step.tool_calls})
        steps.append(step)
    chat_id = str(chat.get("id") or f"{source}-{number}")
    trajectory = Trajectory(
        id=chat_id,
        digest=digest("chat", canonical_json(chat)),
        project=source,
        agents={"": Agent(system="\n\n".join(system) or None, tools=tools_of(chat.get("tools")))},
        completion="final",
        missing=(),
        scopes=(),
        steps=tuple(steps),
    )
    return Case(trajectory=trajectory, label=files.binary_label(chat, where), group=chat_id, source=source)


def _step(message: dict[str, Any], index: int, place: str, names: dict[str, str]) -> Step:
    step_id, sources, text = f"s{index}", (f"message:{place.rpartition(' ')[2]}",), _text(message, place)
    if message["role"] == "user":
        return Step(id=step_id, index=index, role="user", content=text, sources=sources)
    if message["role"] in ("tool", "function"):
        call_id = message.get("tool_call_id")
        name = message.get("name") or names.get(str(call_id))
        return Step(
            id=step_id,
            index=index,
            role="environment",
            name=name if isinstance(name, str) else None,
            tool_result=text or "",
            tool_call_id=call_id if isinstance(call_id, str) else None,
            sources=sources,
        )
    calls = tuple(_calls(message, step_id, place))
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    return Step(
        id=step_id,
        index=index,
        role="agent",
        content=None if calls else text or None,
        thought=text or None if calls else None,
        reasoning=reasoning if isinstance(reasoning, str) else None,
        tool_calls=calls,
        sources=sources,
    )


def _calls(message: dict[str, Any], step_id: str, place: str) -> Iterator[ToolCall]:
    listed = message.get("tool_calls") or []
    if message.get("function_call"):
        listed = [{"function": message["function_call"]}]
    if not isinstance(listed, list):
        raise DecodeError(f"{place}: tool_calls must be a list")
    for number, call in enumerate(listed):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise DecodeError(f"{place}: tool_calls[{number}] has no function with a name")
        given = function.get("arguments")
        arguments = given if isinstance(given, dict) else decode_object(given) if isinstance(given, str) else {}
        call_id = call.get("id")
        yield ToolCall(
            id=call_id if isinstance(call_id, str) else f"{step_id}.{number}",
            id_synthetic=not isinstance(call_id, str),
            name=function["name"],
            arguments=arguments or {},
            arguments_raw=given if isinstance(given, str) and arguments is None and given.strip() else None,
        )


def _text(message: dict[str, Any], place: str) -> str | None:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise DecodeError(f"{place}: content is {type(content).__name__}; expected text, a list of parts or null")
    texts = [part.get("text") if isinstance(part, dict) else part for part in content]
    return "\n".join(text for text in texts if isinstance(text, str))
