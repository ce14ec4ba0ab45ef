"""Rows of ATBench-Claw: runs of OpenClaw agents, annotated (arXiv 2604.14858; the data set's card).

A row is ``{"id"?, "trajectory": {"events": [{"message": {"role", "content", "toolName"?, "isError"?}}, …]}, "labels":
{"is_safe", "risk_source", "failure_mode", "harm_type", "defense_type"?}, "reason"?}``. A message's content is text or a
list of parts: ``text``, ``thinking``, ``toolCall`` (``id``?, ``name``, ``arguments``). Roles are ``user``,
``assistant`` and ``toolResult``. Events without a message tell no step. Safe rows keep their scenario's labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.case import Case, Gold
from agentdog.trajectory.formats.draft import Draft, tool_call
from agentdog.trajectory.model import ToolCall


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like a row of this schema."""
    return isinstance(value, dict) and _events(value) is not None


def _events(row: dict[str, Any]) -> list[Any] | None:
    """The session's events, where the row has some; a loader may keep the session as JSON text."""
    held = files.column(row.get("trajectory"))
    events = held.get("events") if isinstance(held, dict) else None
    return events if isinstance(events, list) else None


def read(path: Path) -> Iterator[Case]:
    """Reads every row; the set is named after the file.

    Raises:
        DecodeError: naming row and field, when a row does not fit the schema.
    """
    yield from files.cases(path, to_case)


def to_case(row: dict[str, Any], where: str, source: str, number: int) -> Case:
    """Turns one row into a case; raises `DecodeError` naming the field that does not fit."""
    events = _events(row)
    if events is None:
        raise DecodeError(f"{where}: no list of events under trajectory")
    labels = files.column(row.get("labels")) or {}
    if not isinstance(labels, dict):
        raise DecodeError(f"{where}: labels is {type(labels).__name__}; expected an object")
    reader = _Reader()
    for index, event in enumerate(events):
        message = event.get("message") if isinstance(event, dict) else event
        if isinstance(message, dict):
            reader.message(message, f"{where}, event {index}", f"event:{index}")
        elif message is not None:
            raise DecodeError(f"{where}, event {index}: message is {type(message).__name__}; expected an object")
    row_id = str(row.get("id", number))
    return msgspec.structs.replace(
        reader.draft.case(row_id, source, None),
        label=files.unsafe_label(labels, where),
        gold=gold(labels, where),
        group=f"{source}:{row_id}",
    )


def gold(labels: dict[str, Any], where: str) -> Gold:
    """Reads the three axes as Claw and CodeX rows name them."""
    return Gold(
        risk_source=files.gold_text(labels, ("risk_source",), where),
        failure_mode=files.gold_text(labels, ("failure_mode",), where),
        real_world_harm=files.gold_text(labels, ("harm_type", "real_world_harm"), where),
    )


class _Reader:
    """Turns messages into steps; a result without a call id answers the oldest open call of its tool."""

    def __init__(self) -> None:
        self.draft = Draft()
        self._open: list[ToolCall] = []

    def message(self, message: dict[str, Any], where: str, source: str) -> None:
        role, parts = message.get("role"), _parts(message.get("content"), where)
        text = "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
        if role == "user":
            self.draft.user(text, source, None)
        elif role == "assistant":
            thinking = "\n".join(str(part.get("thinking", "")) for part in parts if part.get("type") == "thinking")
            calls = [
                _call(part, where, f"{source}.{n}") for n, part in enumerate(parts) if part.get("type") == "toolCall"
            ]
            self._open += calls
            self.draft.agent(text or None, calls, source, None, reasoning=thinking or None)
        elif role == "toolResult":
            name = message.get("toolName")
            call = self._answered(message.get("toolCallId"), name)
            shown = name if isinstance(name, str) else None
            failed = message.get("isError") is True
            self.draft.result(call, text, source, None, name=shown, is_error=failed)
        else:
            raise DecodeError(f"{where}: role is {role!r}; expected user, assistant or toolResult")

    def _answered(self, identity: object, name: object) -> str | None:
        found = next((c for c in self._open if c.id == identity), None)
        found = found or next((c for c in self._open if c.name == name), None)
        if found is not None:
            self._open.remove(found)
        return found.id if found else None


def _parts(content: object, where: str) -> list[dict[str, Any]]:
    if content is None or isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise DecodeError(f"{where}: content must be text or a list of parts")
    return content


def _call(part: dict[str, Any], where: str, fallback: str) -> ToolCall:
    if not isinstance(part.get("name"), str):
        raise DecodeError(f"{where}: a toolCall has no name")
    return tool_call(part.get("id"), part["name"], part.get("arguments"), fallback)
