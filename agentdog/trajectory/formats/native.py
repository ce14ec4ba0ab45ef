"""Our own JSON: trajectories (``agentdog reconstruct --json``) or labelled cases; one, a list, or one per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import files
from agentdog.trajectory.formats.case import Case
from agentdog.trajectory.model import Trajectory

_TRAJECTORY, _CASE = "agentdog.trajectory/", "agentdog.case/"


def is_row(value: object) -> bool:
    """Tells whether a JSON value is one of our trajectories or cases."""
    return isinstance(value, dict) and str(value.get("schema")).startswith((_TRAJECTORY, _CASE))


def read(path: Path) -> Iterator[Case]:
    """Reads every row; a trajectory alone is unlabelled.

    Raises:
        DecodeError: naming row and field, when one does not fit the schema.
    """
    _, values = files.read_values(path)
    for where, row in files.rows(path, values):
        try:
            if str(row.get("schema")).startswith(_CASE):
                yield msgspec.convert(row, Case)
                continue
            trajectory = msgspec.convert(row, Trajectory)
        except msgspec.ValidationError as error:
            raise DecodeError(f"{where}: {error}") from error
        yield Case(trajectory=trajectory, group=trajectory.id, source=trajectory.project)


def write(path: Path, cases: Iterable[Case]) -> int:
    """Writes cases as JSON lines, gzip where the name ends in ``.gz``; returns how many."""
    lines = [msgspec.json.encode(case) for case in cases]
    data = b"".join(line + b"\n" for line in lines)
    path.write_bytes(files.packed(data) if path.suffix == ".gz" else data)
    return len(lines)
