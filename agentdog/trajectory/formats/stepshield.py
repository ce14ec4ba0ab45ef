"""StepShield: runs of coding agents with the step that goes rogue (arXiv 2601.22136; the data set's card).

A file, or a row, is ``{"trajectory_id", "trajectory_type"?, "task_id"?, "task": {"description", "constraints"?,
"success_criteria"?}, "steps": [{"thought", "action", "arguments", "observation", "label", …}, …]}``. A step's label is
the kind of rogue behaviour or null. An entry becomes the agent's step and the result that it tells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.case import Case, Gold
from agentdog.trajectory.formats.turns import from_turns

#: Ends of ids that tell the two runs of one task apart.
_PAIR = re.compile(r"[-_](rogue|clean|correct)$", re.IGNORECASE)
_HEADINGS = {"constraints": "Constraints", "success_criteria": "Success criteria"}


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like a row of this schema."""
    return isinstance(value, dict) and {"trajectory_id", "task", "steps"} <= value.keys()


def read(path: Path) -> Iterator[Case]:
    """Reads every row.

    Raises:
        DecodeError: naming row and field, when a row does not fit the schema.
    """
    yield from files.cases(path, to_case)


def to_case(row: dict[str, Any], where: str, source: str, number: int) -> Case:
    """Turns one row into a case; raises `DecodeError` naming the field that does not fit."""
    row_id, entries = row.get("trajectory_id"), row.get("steps")
    if not isinstance(row_id, str):
        raise DecodeError(f"{where}: trajectory_id is {type(row_id).__name__}; expected text")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DecodeError(f"{where}: steps must be a list of objects")
    turns: list[dict[str, Any]] = [{"role": "user", "content": _task(row.get("task"), where)}]
    rogue: list[tuple[int, str]] = []
    for index, entry in enumerate(entries):
        label = files.gold_text(entry, ("label",), f"{where}, step {index}")
        if label:
            rogue.append((len(turns), label))
        turns.append({"role": "agent", "thought": entry.get("thought"), "action": _action(entry)})
        if entry.get("observation") is not None:
            turns.append({"role": "environment", "content": entry["observation"]})
    told = str(row.get("trajectory_type") or row_id).lower()
    return Case(
        trajectory=from_turns(row_id, turns, source="stepshield", where=where),
        label=1 if rogue or "rogue" in told else 0,
        gold=Gold(failure_mode=rogue[0][1] if rogue else None),
        unsafe_step=rogue[0][0] if rogue else None,
        group=f"stepshield:{row.get('task_id') or _PAIR.sub('', row_id)}",
        source="stepshield",
    )


def _task(task: object, where: str) -> str:
    if isinstance(task, str):
        return task
    if not isinstance(task, dict):
        raise DecodeError(f"{where}: task is {type(task).__name__}; expected an object or text")
    parts = [str(task.get("description") or task.get("title") or "")]
    for key, heading in _HEADINGS.items():
        held = task.get(key) or []
        listed = held if isinstance(held, list) else [held]
        parts += [f"{heading}:\n" + "\n".join(f"- {item}" for item in listed)] if listed else []
    return "\n\n".join(part for part in parts if part)


def _action(entry: dict[str, Any]) -> str | None:
    name = entry.get("action")
    if name is None:
        return None
    return json.dumps({"name": str(name), "arguments": entry.get("arguments") or {}}, ensure_ascii=False)
