"""TS-Bench: one call of an agent, judged before it is made (arXiv 2601.10156; the set's own conversion scripts).

A row is ``{"instruction", "history", "current_action", "env_info"?, "score"}``: what was asked, what happened, the
call in question, and 0 (harmless), 0.5 (open to doubt) or 1 (harmful). Past turns that the file keeps as one text are
one step of the environment. The labelled step is the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.case import Case
from agentdog.trajectory.formats.turns import from_turns

_SCORES = (0, 0.5, 1)


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like a row of this schema."""
    return isinstance(value, dict) and {"instruction", "current_action"} <= value.keys()


def read(path: Path) -> Iterator[Case]:
    """Reads every row; the set is named after the file.

    Raises:
        DecodeError: naming row and field, when a row does not fit the schema.
    """
    yield from files.cases(path, to_case)


def to_case(row: dict[str, Any], where: str, source: str, number: int) -> Case:
    """Turns one row into a case; raises `DecodeError` naming the field that does not fit."""
    score = row.get("score")
    if score is not None and (isinstance(score, bool | str) or score not in _SCORES):
        raise DecodeError(f"{where}: score is {score!r}; expected 0, 0.5, 1 or null")
    instruction = _text(row.get("instruction"))
    if instruction is None:
        raise DecodeError(f"{where}: instruction is null; expected text")
    turns = [{"role": "user", "content": instruction}, *_history(row.get("history"))]
    turns.append({"role": "agent", "action": _text(row.get("current_action"))})
    row_id = next((str(row[key]) for key in ("id", "id-interaction") if isinstance(row.get(key), str | int)), None)
    return Case(
        trajectory=from_turns(
            row_id or f"{source}-{number}", turns, source=source, where=where, profile=_text(row.get("env_info"))
        ),
        label=None if score is None else int(score > 0),
        unsafe_step=len(turns) - 1 if score else None,
        doubt="ambiguous" if score == 0.5 else None,
        group=f"{source}:{' '.join(instruction.lower().split())}",
        source=source,
    )


def _history(held: object) -> list[dict[str, Any]]:
    """Past turns: with roles where the file has them, else one text as it stands."""
    items = held if isinstance(held, list) else [held]
    told_by = [item for item in items if isinstance(item, dict) and "role" in item]
    if told_by and len(told_by) == len(items):
        return [_turn(item) for item in told_by]
    told = "\n".join(text for item in items if (text := _text(item)))
    return [{"role": "environment", "content": told}] if told else []


def _turn(item: dict[str, Any]) -> dict[str, Any]:
    if item["role"] in ("agent", "assistant"):
        return {
            "role": "agent",
            "thought": item.get("thought"),
            "action": _text(item.get("action", item.get("content"))),
        }
    return {"role": item["role"], "content": item.get("content")}


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
