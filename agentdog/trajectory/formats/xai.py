"""Trajectories of AgentDoG's attribution scripts: ``{"trajectory": [{"role", "content"}, …]}``, or ``trace``.

Roles are user (human), agent (assistant), environment (tool) and system; an agent's thought and action stand in one
text (``Thought: … Action: …``), which is kept as it is: the scripts score that text (`AgenticXAI/component_attri.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from agentdog.base.errors import DecodeError
from agentdog.base.ids import canonical_json, digest
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.case import Case
from agentdog.trajectory.model import Agent, Step, Trajectory

_ROLES: dict[str, Literal["user", "agent", "environment"]] = {
    "user": "user",
    "human": "user",
    "agent": "agent",
    "assistant": "agent",
    "environment": "environment",
    "tool": "environment",
}


def _messages(value: object) -> object:
    return (value.get("trajectory") or value.get("trace")) if isinstance(value, dict) else None


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like one."""
    messages = _messages(value)
    return isinstance(messages, list) and bool(messages) and all(_is_message(message) for message in messages)


def _is_message(value: object) -> bool:
    known = isinstance(value, dict) and set(value) == {"role", "content"} and isinstance(value["content"], str)
    return known and isinstance(value, dict) and value["role"] in (*_ROLES, "system")


def read(path: Path) -> Iterator[Case]:
    """Reads every trajectory; raises `DecodeError` naming row, message and field, when one does not fit."""
    _, values = files.read_values(path)
    source = path.name.split(".")[0]
    for number, value in enumerate(values, 1):
        if not is_row(value):
            raise DecodeError(f"{path.name}, row {number}: no list 'trajectory' or 'trace' of role and content")
        messages: Any = _messages(value)
        system = [message["content"] for message in messages if message["role"] == "system"]
        steps = [message for message in messages if message["role"] != "system"]
        row_id = source if len(values) == 1 else f"{source}-{number}"
        yield Case(
            trajectory=Trajectory(
                id=row_id,
                digest=digest("xai", canonical_json(value)),
                project=source,
                agents={"": Agent(system="\n\n".join(system) or None)},
                completion="final",
                missing=(),
                scopes=(),
                steps=tuple(_step(index, message) for index, message in enumerate(steps)),
            ),
            label=None,
            group=row_id,
            source=source,
        )


def _step(index: int, message: dict[str, str]) -> Step:
    role = _ROLES[message["role"]]
    told = {"tool_result" if role == "environment" else "content": message["content"]}
    return Step(id=f"s{index}", index=index, role=role, sources=(f"message:{index}",), **told)  # type: ignore[arg-type]
