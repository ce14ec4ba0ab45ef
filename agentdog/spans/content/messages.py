"""Messages in any vendor's form become `Message`s, one speaker each.

Invariant: a tool's result is the tool's, whatever role the convention sends it with (Anthropic, Bedrock and others use
``user``); text of an injection must never pass as the user's wish.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from agentdog.base.remembered import remembered
from agentdog.spans.content.blocks import (
    Piece,
    Reasoning,
    Text,
    names_kind,
    pieces,
    reasoning_text,
    result_text,
    says_error,
)
from agentdog.spans.content.cut import reopen
from agentdog.spans.content.loose import load, load_container, looks_cut, python_call
from agentdog.spans.content.tools import decode_call, first
from agentdog.spans.utterances import Call, Message, Speaker
from agentdog.trajectory import Attachment

_ROLES: dict[str, Speaker] = {
    "system": "system", "developer": "system", "SystemMessage": "system", "SystemMessageChunk": "system",
    "user": "user", "human": "user", "HumanMessage": "user", "UserMessage": "user", "HumanMessageChunk": "user",
    "assistant": "agent", "ai": "agent", "model": "agent", "bot": "agent", "AIMessage": "agent",
    "AIMessageChunk": "agent", "AssistantMessage": "agent",
    "tool": "tool", "function": "tool", "ToolMessage": "tool", "FunctionExecutionResultMessage": "tool",
    "ipython": "tool", "tool-call": "agent", "environment": "tool", "tool-response": "tool", "observation": "tool",
}  # fmt: skip
_ITEMS: dict[str, Speaker] = {
    "function_call": "agent", "reasoning": "agent", "custom_tool_call": "agent", "mcp_call": "agent",
    "tool_use": "agent", "tool_call": "agent", "function_call_output": "tool", "custom_tool_call_output": "tool",
    "tool_result": "tool", "tool_call_response": "tool",
}  # fmt: skip
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
#: Entries of message lists that are remembered, and the most bytes of one.
_REMEMBERED, _SMALL = 2048, 8192
_REPR = re.compile(r"\A(Response|Function|Tool|Chat)\w*\(.*\)\s*\Z", re.S)
_MESSAGE_REPR = re.compile(r"\A\w*Message\(.*\)\Z", re.S)
_BODY = ("parts", "content", "contents", "blocks", "_content", "text", "tool_result")


def decode_messages(raw: Any, default: Speaker = "user") -> tuple[Message, ...]:  # noqa: ANN401 - any JSON value
    """Reads one message or a list of them, as objects or as text of any kind.

    Args:
        raw: what the convention carries.
        default: who speaks when a message does not say.
    """
    return merge_turns(_decode(raw, default))


def result_message(raw: Any, *, call_id: str | None = None, name: str | None = None, failed: bool = False) -> Message:  # noqa: ANN401
    """Reads what a tool's span says it returned, which may itself be a serialised tool message."""
    value = load_container(raw)
    if isinstance(value, dict) and _is_message(value):
        for message in _decode(value, "tool"):
            if message.role == "tool":
                return Message(
                    role="tool",
                    text=message.text,
                    call_id=call_id or message.call_id,
                    name=name or message.name,
                    is_error=message.is_error or failed,
                    attachments=message.attachments,
                )
    text = result_text(raw)
    failed = failed or says_error(text)
    return Message(role="tool", text=text, call_id=call_id, name=name, is_error=failed, truncated=looks_cut(raw))


def merge_turns(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Joins what one agent turn was split into: the Responses API has text and call as separate items.

    Text that follows a call stays a turn of its own: nothing but another turn can come after a call.
    """
    out: list[Message] = []
    for message in messages:
        last = out[-1] if out else None
        if message.role == "agent" and last is not None and last.role == "agent" and not (last.calls and message.text):
            out[-1] = Message(
                role="agent",
                text=_joined(last.text, message.text),
                reasoning=_joined(last.reasoning, message.reasoning),
                calls=last.calls + message.calls,
                name=last.name or message.name,
                attachments=last.attachments + message.attachments,
                truncated=last.truncated or message.truncated,
            )
        else:
            out.append(message)
    return tuple(out)


def _decode(raw: Any, default: Speaker) -> list[Message]:  # noqa: ANN401
    known = _item_by_item(raw, default) if isinstance(raw, str) and raw.startswith("[") else None
    return _decode_whole(raw, default) if known is None else known


def _decode_whole(raw: Any, default: Speaker) -> list[Message]:  # noqa: ANN401
    value = load_container(raw)
    if isinstance(value, list):
        return [m for item in value for m in _decode(_from_repr(item), default)]
    if isinstance(value, dict):
        return _from_dict(value, default)
    if value is None or value == "":
        return []
    text = value if isinstance(value, str) else str(value)
    if not looks_cut(text):
        return [Message(role=default, text=text)]
    found = reopen(text)
    if not _holds_messages(found):
        return [Message(role=default, text=text, truncated=True)]
    return mark_cut(_decode(prune(found), default))


def _item_by_item(text: str, default: Speaker) -> list[Message] | None:
    """Reads a list in JSON; None where it is none. Model calls repeat the history, so most items were read before."""
    try:
        items = [bytes(item) for item in _items(text)]
        return [m for item in items for m in _item(item, default)]
    except (msgspec.DecodeError, RecursionError):
        return None  # one that is not JSON all through is read as a whole


@remembered(_REMEMBERED, longest=_SMALL)
def _item(text: bytes, default: Speaker) -> tuple[Message, ...]:
    return tuple(_decode(_from_repr(msgspec.json.decode(text)), default))


def mark_cut(messages: Iterable[Message]) -> list[Message]:
    """Marks the last of the messages that were read out of a cut text."""
    known = list(messages)
    return [*known[:-1], *(msgspec.structs.replace(m, truncated=True) for m in known[-1:])]


def prune(value: Any) -> Any:  # noqa: ANN401
    """Leaves out the last block of a cut message where not even its kind is told: it might be anybody's words."""
    items = value if isinstance(value, list) else [value]
    last = items[-1] if items else None
    if not isinstance(last, dict):
        return value
    for key in _BODY:
        blocks = last.get(key)
        if isinstance(blocks, list) and blocks:
            kept = blocks if names_kind(blocks[-1]) else blocks[:-1]
            return [*items[:-1], {**last, key: kept}]
    return items


def _holds_messages(value: Any) -> bool:  # noqa: ANN401
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, dict) and _is_message(item) for item in items[:1])


def _from_repr(item: Any) -> Any:  # noqa: ANN401
    """Reads an entry of a list that is a message object's ``repr`` (Haystack's ChatMessage); others stay."""
    if isinstance(item, str) and _MESSAGE_REPR.match(item):
        return python_call(item) or item
    return item


def _is_message(value: dict[str, Any]) -> bool:
    return (
        "lc" in value
        or "role" in value
        or (isinstance(value.get("data"), dict) and str(value.get("type")) in _ROLES)
        or (str(value.get("type")) in _ROLES and "content" in value)
    )


def _from_dict(value: dict[str, Any], default: Speaker) -> list[Message]:
    value, stated = _unwrap(value)
    role = stated or _role(value) or default
    if role == "user" and value.get("tool_call_id"):
        role = "tool"  # a result, whatever role it was sent with
    kind = str(value.get("type") or "")
    if "role" not in value and kind in _ITEMS:
        return _assemble(_ITEMS[kind], pieces(value), value)
    body = next((value[key] for key in _BODY if value.get(key) not in (None, "")), None)
    if isinstance(body, str) and _is_blocks(body) and (role == "agent" or not _calls_tools(load(body))):
        body = load(body)
    if role == "tool" and not isinstance(body, list):
        return [_tool_message(value, body)]
    if body is None and stated is None and "role" not in value and not value.get("tool_calls"):
        return _assemble(role, pieces(value), value)
    return _assemble(role, pieces(body), value)


def _plain(found: Iterable[Piece]) -> Iterator[Piece]:
    """Reads an agent's text that is the ``repr`` of a model object (a call, a text part); any other text stays."""
    for piece in found:
        value: Any = None
        if isinstance(piece, Text) and _REPR.match(piece.text):
            value = python_call(piece.text)
        elif isinstance(piece, Text) and piece.text.startswith("{'"):
            value = load(piece.text)
        if isinstance(value, dict) and ("type" in value or "__class__" in value):
            yield from pieces(value)
        else:
            yield piece


def _unwrap(value: dict[str, Any]) -> tuple[dict[str, Any], Speaker | None]:
    """Takes a message out of LangChain's constructors and dumps, choices, and ``repr`` objects."""
    if "lc" in value and isinstance(value.get("kwargs"), dict):
        path = value.get("id")
        name = str(path[-1]) if isinstance(path, list) and path else ""
        return value["kwargs"], _ROLES.get(name) or _role(value["kwargs"])
    if isinstance(value.get("data"), dict) and str(value.get("type")) in _ROLES:
        return value["data"], _ROLES[str(value["type"])]
    if isinstance(value.get("message"), dict) and "role" not in value:
        inner, stated = _unwrap(value["message"])
        return inner, stated or _role(inner) or "agent"
    if "__class__" in value and str(value["__class__"]) in _ROLES:
        return value, _ROLES[str(value["__class__"])]
    return value, None


def _role(value: dict[str, Any]) -> Speaker | None:
    for key in ("role", "_role", "type"):
        stated = value.get(key)
        if isinstance(stated, dict):
            stated = stated.get("value")
        if isinstance(stated, str):
            role = _ROLES.get(stated) or _ROLES.get(stated.lower().rpartition(".")[2])
            if role is not None:
                return role
    return None


def _is_blocks(text: str) -> bool:
    """Whether text is the JSON of content blocks: a list of objects that each say their type or their one key."""
    value = load(text)
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(b, dict) and ("type" in b or (len(b) == 1 and next(iter(b)) in _BLOCK_KEYS)) for b in value)
    )


def _calls_tools(blocks: Any) -> bool:  # noqa: ANN401
    """Whether blocks call tools; a user's or a tool's text that reads so is still a text."""
    return any(isinstance(piece, Call) for piece in pieces(blocks))


_BLOCK_KEYS = frozenset({"text", "toolUse", "toolResult", "json", "image", "document", "reasoningContent"})


def _tool_message(value: dict[str, Any], body: Any) -> Message:  # noqa: ANN401
    identity = first(value, ("tool_call_id", "toolCallId", "call_id", "tool_use_id", "id"))
    name = first(value, ("name", "tool_name", "toolName"))
    if body is None:
        body = first(value, ("output", "result", "response"))
    text = result_text(body) if body is not None else "" if "content" in value else None
    return Message(
        role="tool",
        text=text,
        call_id=None if identity is None else str(identity),
        name=None if name is None else str(name),
        is_error=value.get("status") == "error" or value.get("is_error") is True or says_error(text),
        truncated=looks_cut(body),
    )


def _assemble(role: Speaker, found: Iterable[Piece], value: dict[str, Any]) -> list[Message]:
    texts: list[str] = []
    reasoning: list[str] = []
    calls: list[Call] = []
    media: list[Attachment] = []
    results: list[Message] = []
    for piece in _plain(found) if role == "agent" else found:
        if isinstance(piece, Text):
            texts.append(piece.text)
        elif isinstance(piece, Reasoning):
            reasoning.append(piece.text)
        elif isinstance(piece, Call):
            calls.append(piece)
        elif isinstance(piece, Message):
            results.append(piece)
        else:
            media.append(piece)
    if role != "tool":
        calls.extend(_side_calls(value, calls))
    reasoning.extend(_side_reasoning(value, reasoning))
    if role == "tool":
        return _tool_results(value, results, texts, media)
    if calls:
        role = "agent"  # nobody else calls tools
    text = "\n".join(texts)
    out = list(results)
    if text or calls or reasoning or media or not results:
        name = value.get("name")
        message = Message(
            role=role,
            text=text or None,
            reasoning="\n".join(reasoning) or None,
            calls=tuple(calls),
            name=name if isinstance(name, str) and name else None,
            attachments=tuple(media),
            truncated=any(looks_cut(t) for t in texts),
        )
        if text or calls or reasoning or media:
            out.append(message)
    return out


def _tool_results(
    value: dict[str, Any], results: list[Message], texts: list[str], media: list[Attachment]
) -> list[Message]:
    if results:
        return results
    whole = _tool_message(value, "\n".join(texts) if texts or not media else None)
    return [
        Message(
            role="tool",
            text=whole.text,
            call_id=whole.call_id,
            name=whole.name,
            is_error=whole.is_error,
            attachments=tuple(media),
        )
    ]


def _side_calls(value: dict[str, Any], already: list[Call]) -> list[Call]:
    extra = value.get("additional_kwargs")
    raw = value.get("tool_calls") or value.get("toolCalls")
    if not raw and isinstance(extra, dict):
        raw = extra.get("tool_calls")
    items = load(raw)
    if isinstance(items, dict):
        items = [items]
    single = load(value.get("function_call")) if not already else None
    if not items and isinstance(single, dict) and "name" in single:
        items = [single]
    seen = {call.id for call in already if call.id}
    found = []
    for item in items if isinstance(items, list) else ():
        call = decode_call(load(item)) if isinstance(load(item), dict) else None
        if call is not None and (call.id is None or call.id not in seen) and not (already and call.id is None):
            found.append(call)
    return found


def _side_reasoning(value: dict[str, Any], already: list[str]) -> list[str]:
    if already:
        return []
    extra = value.get("additional_kwargs")
    for holder in (value, extra if isinstance(extra, dict) else {}):
        for key in ("reasoning_content", "reasoning", "thinking"):
            text = reasoning_text(holder.get(key))
            if text:
                return [text]
    return []


def _joined(a: str | None, b: str | None) -> str | None:
    return f"{a}\n{b}" if a and b else a or b
