"""One file told apart by its content: recorded OTLP, another tool's export, or a transcript of a known format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from agentdog.base.errors import DecodeError
from agentdog.spans import exports
from agentdog.spans.exports import otlp
from agentdog.spans.otlp_build import span_fault
from agentdog.spans.records import Record, Rejection
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats import Case, files, sniff

#: How files are named that may hold something of ours.
SUFFIXES = (".pb", ".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".pb.gz")
_PROTOBUF = (".pb", ".pb.gz")
#: Everything that is told apart.
KNOWN = ", ".join(["otlp", *(e.name for e in exports.EXPORTS), *(f.name for f in sniff.FORMATS)])


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one file holds: records of telemetry, or the trajectories of a transcript.

    Attributes:
        tool: who wrote it: ``otlp``, the name of an export's tool, or that of a transcript's format.
        rejected: records that cannot be kept, and why.
        cases: of a transcript, each trajectory with what its annotators say.
    """

    path: Path
    tool: str
    records: tuple[Record, ...] = ()
    trajectories: tuple[Trajectory, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    cases: tuple[Case, ...] = ()


def load(path: Path) -> Found | None:
    """Reads one file; None when it holds nothing that we know.

    Raises:
        DecodeError: naming file, record and field, when it claims to be of a known format and does not fit it.
    """
    if path.name.endswith(_PROTOBUF):
        return _protobuf(path)
    try:
        _, values = files.read_values(path)
    except DecodeError:
        if path.name.endswith(SUFFIXES):
            raise
        return _protobuf(path)  # a recorded body under whatever name
    if values and otlp.is_request(values[0]):
        decoded = otlp.read_json(values, str(path))
        return Found(path=path, tool="otlp", records=decoded.records, rejected=decoded.rejected)
    return _export(path, values) or _transcript(path, values)


def _export(path: Path, values: list[Any]) -> Found | None:
    known = exports.sniff(values)
    if known is None:
        return None
    tool, rows = known
    told = [(span, span_fault(span)) for span in tool.read(rows, str(path))]
    return Found(
        path=path,
        tool=tool.name,
        records=tuple(span for span, fault in told if fault is None),
        rejected=tuple(fault for _, fault in told if fault is not None),
    )


def _transcript(path: Path, values: list[Any]) -> Found | None:
    known = next((form for form in sniff.FORMATS if values and form.is_row(values[0])), None)
    if known is None:
        return None
    cases = tuple(known.read(path))
    return Found(path=path, tool=known.name, trajectories=tuple(case.trajectory for case in cases), cases=cases)


def _protobuf(path: Path) -> Found:
    try:
        decoded = otlp.read_protobuf(files.read_bytes(path), path.name)
    except DecodeError as error:
        raise DecodeError(f"{path}: {error}") from error
    return Found(path=path, tool="otlp", records=decoded.records, rejected=decoded.rejected)
