"""Runs as a Parquet table: one row each, labels as columns, trajectory and diagnosis as JSON text.

Invariant: the columns are fixed (`columns`), whatever the runs hold, so that files of different days fit together; rows
are written in groups as they come, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from agentdog.base.clock import parse_rfc3339
from agentdog.base.errors import OutsideError
from agentdog.diagnosis import Diagnosis
from agentdog.trajectory import Trajectory

_GROUP = 200


def columns() -> Any:  # noqa: ANN401 - a schema of pyarrow's
    """Returns the table's schema.

    Raises:
        OutsideError: pyarrow is not installed.
    """
    pa = _arrow()
    text, number, real = pa.string(), pa.int64(), pa.float64()
    return pa.schema(
        [
            ("id", text),
            ("project", text),
            ("session_id", text),
            ("title", text),
            ("agents", pa.list_(text)),
            ("tools", pa.list_(text)),
            ("verdict", text),
            ("reviewed", text),
            ("p_unsafe", real),
            ("risk_source", text),
            ("failure_mode", text),
            ("real_world_harm", text),
            ("incidents", number),
            ("onset_step", number),
            ("guard", text),
            ("guard_fingerprint", text),
            ("steps", number),
            ("completion", text),
            ("start_time", pa.timestamp("ns", tz="UTC")),
            ("end_time", pa.timestamp("ns", tz="UTC")),
            ("trajectory", text),
            ("diagnosis", text),
        ]
    )


def row(summary: dict[str, Any], trajectory: Trajectory, diagnosis: Diagnosis | None) -> dict[str, Any]:
    """Returns one run's row; `onset_step` counts from 1, times are nanoseconds since the epoch."""
    known = {name: summary.get(name) for name in columns().names}
    known |= {name: parse_rfc3339(summary[name]) if summary.get(name) else None for name in ("start_time", "end_time")}
    known["trajectory"] = msgspec.json.encode(trajectory).decode()
    if diagnosis is not None:
        known["diagnosis"] = msgspec.json.encode(diagnosis).decode()
        known["guard"], known["guard_fingerprint"] = diagnosis.guard.name, diagnosis.guard.fingerprint
        known["onset_step"] = diagnosis.standing[0].onset + 1 if diagnosis.standing else None
    return known


def write(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Writes rows as they come; returns how many.

    Raises:
        OutsideError: pyarrow is not installed.
    """
    pa, schema, count = _arrow(), columns(), 0
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        for each in rows:
            group.append(each)
            count += 1
            if len(group) == _GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        writer.write_table(pa.Table.from_pylist(group, schema))
    return count


def _arrow() -> Any:  # noqa: ANN401
    try:
        import pyarrow as pa
    except ImportError as error:
        raise OutsideError(
            "Parquet needs pyarrow: pip install 'agentdog-sidecar[parquet]', or export as jsonl"
        ) from error
    return pa
