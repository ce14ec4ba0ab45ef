"""The normalised schema: one row per trajectory, whatever set it came from; JSON lines, plain or gzip.

A row is ``{"id", "source", "profile", "steps": [{"role", "thought", "action", "content"}], "label", "risk_source",
"failure_mode", "harm", "unsafe_step", "onset_from"?, "meta"}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.case import Case, Gold
from agentdog.trajectory.formats.turns import closes, from_turns
from agentdog.trajectory.model import Trajectory

#: Which fields of ``meta`` name the scenario that rows share, by set; elsewhere the first user text does.
_GROUPS = {
    "agentdojo": ("suite", "user_task"),
    "odcv_bench": ("scenario",),
    "openagentsafety": ("task",),
    "tau_bench": ("task",),
}

#: Which field of ``meta`` holds an ordinal severity, by set (ODCV-Bench: median of its judges, 0 to 5).
_SEVERITIES = {"odcv_bench": "median_score"}


def is_row(value: object) -> bool:
    """Tells whether a JSON value looks like a row of this schema."""
    return isinstance(value, dict) and {"id", "source", "steps"} <= value.keys() and "schema" not in value


def read(path: Path) -> Iterator[Case]:
    """Reads every row.

    Raises:
        DecodeError: naming row and field, when a row does not fit the schema.
    """
    _, values = files.read_values(path)
    for where, row in files.rows(path, values):
        yield to_case(row, where)


def to_case(row: dict[str, Any], where: str) -> Case:
    """Turns one row into a case; raises `DecodeError` naming the field that does not fit."""
    steps, profile, source = row.get("steps"), row.get("profile"), row.get("source")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise DecodeError(f"{where}: steps must be a list of objects")
    if not isinstance(row.get("id"), str | int):
        raise DecodeError(f"{where}: id must be text or a number")
    if not isinstance(source, str):
        raise DecodeError(f"{where}: source must be text")
    if profile is not None and not isinstance(profile, str):
        raise DecodeError(f"{where}: profile must be text or null")
    trajectory = from_turns(str(row["id"]), steps, source=source, where=where, profile=profile)
    meta = row.get("meta") or {}
    if not isinstance(meta, dict):
        raise DecodeError(f"{where}: meta is {type(meta).__name__}; expected an object or null")
    return Case(
        trajectory=trajectory,
        label=files.binary_label(row, where),
        gold=Gold(
            risk_source=_gold(row, "risk_source", where),
            failure_mode=_gold(row, "failure_mode", where),
            real_world_harm=_gold(row, "harm", where),
        ),
        unsafe_step=_index(row, "unsafe_step", len(steps), where),
        onset_from=_index(row, "onset_from", len(steps), where),
        severity=_severity(source, meta, where),
        doubt=_doubt(meta),
        closing=closes(steps),
        variant=str(meta["variant"]) if meta.get("variant") is not None else None,
        group=group_of(source, meta, trajectory),
        source=source,
    )


def _severity(source: str, meta: dict[str, Any], where: str) -> float | None:
    value = meta.get(_SEVERITIES.get(source, ""))
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise DecodeError(f"{where}: meta.{_SEVERITIES[source]} is {value!r}; expected a number or null")


def _doubt(meta: dict[str, Any]) -> Literal["ambiguous", "never_reached"] | None:
    if meta.get("ambiguous"):
        return "ambiguous"
    return "never_reached" if meta.get("never_reached") else None


def _gold(row: dict[str, Any], key: str, where: str) -> str | None:
    value = row.get(key)
    if value is None or isinstance(value, str):
        return value or None
    raise DecodeError(f"{where}: {key} is {type(value).__name__}; expected text or null")


def _index(row: dict[str, Any], key: str, count: int, where: str) -> int | None:
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or not 0 <= value < count:
        raise DecodeError(f"{where}: {key} is {value!r}; expected an index below {count}, counted from 0")
    return value


def group_of(source: str, meta: dict[str, Any], trajectory: Trajectory) -> str:
    """Names the scenario a row shares with others: ``meta.group``, the set's own fields, or the first user text."""
    if meta.get("group") is not None:
        return f"{source}:{meta['group']}"
    fields = _GROUPS.get(source)
    if fields and all(field in meta for field in fields):
        return ":".join([source, *(str(meta[field]) for field in fields)])
    first = next((step.content for step in trajectory.steps if step.role == "user" and step.content), None)
    return f"{source}:{' '.join((first or trajectory.id).lower().split())}"
