"""Rows of ATBench and the sets in its schema (ATBench500, R-Judge, ASSEBench): JSON list or lines, plain or gzip.

A row is ``{"id" | "conv_id", "contents" | "content": [[turn, …], …], "label", "tool_used"?, "profile"?, "risk_source"?,
"failure_mode"?, "real_world_harm" | "harm_type" | "risk_type"?}`` (arXiv 2604.02022 App. E; the file's own keys). A row
may hold several rounds of turns; they are one trajectory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.case import Case, Gold
from agentdog.trajectory.formats.normalized import group_of
from agentdog.trajectory.formats.turns import closes, from_turns, tools_of
from agentdog.trajectory.model import Trajectory

_IDS = ("id", "conv_id")
_TURNS = ("contents", "content", "conversation")
#: The file's own keys; the paper prints the same with blanks.
_SOURCES = ("risk_source", "risk source")
_MODES = ("failure_mode", "failure mode")
_HARMS = ("real_world_harm", "harm_type", "risk_type", "real world harm")


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like a row of this schema: turns, or what should be some beside a label."""
    if not isinstance(value, dict) or "role" in value:
        return False
    return any(isinstance(value.get(key), list) or (key in value and "label" in value) for key in _TURNS)


def read(path: Path) -> Iterator[Case]:
    """Reads every row; the set is named after the file.

    Raises:
        DecodeError: naming row and field, when a row does not fit the schema.
    """
    yield from files.cases(path, to_case)


def to_case(row: dict[str, Any], where: str, source: str, number: int) -> Case:
    """Turns one row into a case; raises `DecodeError` naming the field that does not fit."""
    row_id = next((row[key] for key in _IDS if row.get(key) is not None), number)
    profile = row.get("profile")
    if profile is not None and not isinstance(profile, str):
        raise DecodeError(f"{where}: profile must be text or null")
    if not isinstance(row_id, str | int):
        raise DecodeError(f"{where}: id is {type(row_id).__name__}; expected text or a number")
    tools = row.get("tool_used")
    if isinstance(tools, str):  # some loaders keep the list as the JSON text it was in their columns
        tools = files.decoded(tools)
    if tools is not None and not isinstance(tools, list):
        raise DecodeError(f"{where}: tool_used must be a list of tool specifications")
    turns = _turns(row, where)
    trajectory = from_turns(str(row_id), turns, source=source, where=where, profile=profile, tools=tools_of(tools))
    return Case(
        trajectory=trajectory,
        label=files.binary_label(row, where),
        gold=Gold(
            risk_source=files.gold_text(row, _SOURCES, where),
            failure_mode=files.gold_text(row, _MODES, where),
            real_world_harm=files.gold_text(row, _HARMS, where),
        ),
        unsafe_step=_unsafe_step(row, trajectory),
        closing=closes(turns),
        doubt="ambiguous" if row.get("ambiguous") else None,
        # ATBench's rows are scenarios of their own; the sets without tool lists repeat user requests.
        group=group_of(source, {"group": row_id} if tools is not None else {}, trajectory),
        source=source,
    )


def _unsafe_step(row: dict[str, Any], trajectory: Trajectory) -> int | None:
    """The step at which a run goes wrong: no field of ATBench's, but of the rows that we export."""
    at = row.get("unsafe_step")
    return at if isinstance(at, int) and not isinstance(at, bool) and 0 <= at < len(trajectory.steps) else None


def _turns(row: dict[str, Any], where: str) -> list[dict[str, Any]]:
    key = next((k for k in _TURNS if k in row), None)
    rounds = files.column(row[key]) if key is not None else None
    if not isinstance(rounds, list):
        raise DecodeError(f"{where}: no list of turns under {', '.join(_TURNS)}")
    turns = list(_flat(rounds))
    for number, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise DecodeError(f"{where}: {key}, turn {number} is {type(turn).__name__}; expected an object with a role")
    return turns


def _flat(rounds: list[Any]) -> Iterator[Any]:
    """The turns of all rounds in order, however deep the rounds are nested."""
    for part in rounds:
        if isinstance(part, list):
            yield from _flat(part)
        else:
            yield part
