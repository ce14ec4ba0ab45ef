"""Rows of ATBench-CodeX: sessions of Codex, annotated (arXiv 2604.14858; the data set's card).

A row is ``{"id"?, "is_safe", "risk_source", "failure_mode", "harm_type", "reason"?, "codex_rollout": [record, …], …}``;
a record is that of a session's file (`agentdog.trajectory.formats.codex`). The row's normalised conversation is told by
the rollout too, and is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import codex, files
from agentdog.trajectory.formats.case import Case
from agentdog.trajectory.formats.claw import gold
from agentdog.trajectory.formats.turns import tools_of
from agentdog.trajectory.model import Agent

#: Where a row lists its tools; the card names "tool metadata" without the key.
_TOOLS = ("tools", "tool_used", "tool_metadata", "available_tools")


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like a row of this schema."""
    return isinstance(value, dict) and isinstance(files.column(value.get("codex_rollout")), list)


def read(path: Path) -> Iterator[Case]:
    """Reads every row; the set is named after the file.

    Raises:
        DecodeError: naming row and field, when a row does not fit the schema.
    """
    yield from files.cases(path, to_case)


def to_case(row: dict[str, Any], where: str, source: str, number: int) -> Case:
    """Turns one row into a case; raises `DecodeError` naming the field that does not fit."""
    records = files.column(row.get("codex_rollout"))
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DecodeError(f"{where}: codex_rollout must be a list of records")
    row_id = str(row.get("id", number))
    case = codex.to_case(((f"{where}, record {n}", record) for n, record in enumerate(records)), row_id)
    listed = files.column(next((row[key] for key in _TOOLS if row.get(key)), None))
    agents = case.trajectory.agents
    first = agents.get("", Agent())
    trajectory = msgspec.structs.replace(
        case.trajectory,
        id=row_id,
        project=source,
        agents={**agents, "": msgspec.structs.replace(first, tools=tools_of(listed))},
    )
    return msgspec.structs.replace(
        case,
        trajectory=trajectory,
        label=files.unsafe_label(row, where),
        gold=gold(row, where),
        group=f"{source}:{row_id}",
        source=source,
    )
