"""TraceSafe-Bench: tool-calling runs, each with one mutation that makes it unsafe (arXiv 2604.07223; the set's card).

A row is ``{"mutation_category", "new_trace": {"user_query", "tool_lists", "trace": [{"role", "content"}, …]},
"original_trace", "mutation_metadata": {"mutator_name", "target_tool"}, "golden_meta"?}``. An agent's content is a call
(``{"name", "arguments"}``, as an object or as its JSON text) or words. `unsafe_step` is the first call of the mutated
tool, where the trace has it. Some pairs differ in the tool list only: a guard must be shown the tools.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.case import Case, Gold
from agentdog.trajectory.formats.turns import from_turns, tools_of


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like a row of this schema."""
    return isinstance(value, dict) and {"mutation_category", "new_trace"} <= value.keys()


def read(path: Path) -> Iterator[Case]:
    """Reads every row.

    Raises:
        DecodeError: naming row and field, when a row does not fit the schema.
    """
    yield from files.cases(path, to_case)


def to_case(row: dict[str, Any], where: str, source: str, number: int) -> Case:
    """Turns one row into a case; raises `DecodeError` naming the field that does not fit."""
    held = row.get("new_trace")
    trace = held.get("trace") if isinstance(held, dict) else None
    meta = row.get("mutation_metadata") or {}
    if not isinstance(held, dict) or not isinstance(trace, list) or not all(isinstance(turn, dict) for turn in trace):
        raise DecodeError(f"{where}: new_trace must hold a trace, a list of objects with a role")
    if not isinstance(meta, dict):
        raise DecodeError(f"{where}: mutation_metadata is {type(meta).__name__}; expected an object")
    turns = [_turn(turn) for turn in trace]
    query = held.get("user_query")
    if not any(turn["role"] == "user" for turn in turns):
        turns.insert(0, {"role": "user", "content": query})
    named = [str(value) for value in (meta.get("mutator_name"), row.get("mutation_category")) if value]
    if not named:
        raise DecodeError(f"{where}: mutation_metadata.mutator_name and mutation_category are both missing")
    kind, label = named[0], int("benign" not in {value.lower() for value in named})
    trajectory = from_turns(
        f"{source}-{number}", turns, source="tracesafe", where=where, tools=tools_of(held.get("tool_lists"))
    )
    target = meta.get("target_tool")
    onset = next((s.index for s in trajectory.steps if any(call.name == target for call in s.tool_calls)), None)
    return Case(
        trajectory=trajectory,
        label=label,
        gold=Gold(risk_source=kind if label else None),
        unsafe_step=onset if label else None,
        group=f"tracesafe:{_scenario(row.get('original_trace'), query)}",
        source="tracesafe",
    )


def _turn(turn: dict[str, Any]) -> dict[str, Any]:
    content = turn.get("content")
    if turn.get("role") != "agent":
        return {"role": turn.get("role"), "content": content}
    action = content if content is None or isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return {"role": "agent", "thought": turn.get("reasoning"), "action": action}


def _scenario(original: object, query: object) -> str:
    """Rows that were mutated from one run share its request."""
    first = original.get("user_query") if isinstance(original, dict) else None
    return " ".join(str(first or query).lower().split())
