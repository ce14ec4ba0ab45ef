"""Kept runs of ``atbench run --out``, in one folder that a setting names: which there are, their report, their rows.

Invariants: only folders that lie directly in that one are read, by a name that was listed; scores are those of
``atbench report`` itself, which is run for them, so that there is one place that computes them.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from agentdog.base.clock import rfc3339
from agentdog.base.errors import NotFoundError, OutsideError, UsageError
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import Visitor
from agentdog.service.api.respond import documented, reply
from agentdog.service.auth import Access, Forbidden

_RUN, _ROWS, _SCHEMA = "run.json", "rows.jsonl", "atbench.run/1"
_REPORT = "from atbench.cli import main; main()"
_REPORT_S = 300.0
_KEPT, _MOST, _MOST_BYTES = 8, 500, 1 << 20
_Stamp = tuple[tuple[int, int], ...]


class Evaluation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One run folder: which data, which guard, how asked, and how many answers are kept; or why it cannot be read."""

    name: str
    changed: str
    rows: int = 0
    data: str = ""
    guard: str = ""
    mode: str = ""
    problem: str | None = None


class Evaluations(msgspec.Struct, frozen=True, kw_only=True):
    """Run folders, the last changed first; `configured` says whether a folder is named at all."""

    configured: bool
    items: tuple[Evaluation, ...]


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What ``atbench report --json`` says of a run: its schema is ``atbench.report/1``."""

    name: str
    report: dict[str, Any]


class KeptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as it was kept: gold labels, and every verdict with its evidence."""

    name: str
    row: dict[str, Any]


def build(folder: Path | None) -> APIRouter:
    """Builds the routes over a folder of run folders."""
    router = APIRouter(route_class=ApiRoute, tags=["evaluations"])
    reports = _Reports()

    @router.get(
        "/evaluations",
        summary="Run folders of atbench",
        response_class=Response,
        responses=documented(Evaluations, "Folders in AGENTDOG_UI__RUNS that hold a run."),
    )
    async def listed(access: Visitor) -> Response:
        _may_see(access)
        found = await asyncio.to_thread(_list, folder) if folder is not None else []
        return reply(Evaluations(configured=folder is not None, items=tuple(found)))

    @router.get(
        "/evaluations/{name}",
        summary="A run's report: scores with intervals, confusion, calibration, rows",
        response_class=Response,
        responses=documented(Reported, "Computed by `atbench report`; kept until the run changes."),
    )
    async def report(access: Visitor, name: str) -> Response:
        _may_see(access)
        return reply(Reported(name=name, report=await reports.of(await asyncio.to_thread(_place, folder, name))))

    @router.get(
        "/evaluations/{name}/rows/{row_id:path}",
        summary="One row of a run as it was kept",
        response_class=Response,
        responses=documented(KeptRow, "Its first answer, where it was asked several times."),
    )
    async def row(access: Visitor, name: str, row_id: str) -> Response:
        _may_see(access)
        place = await asyncio.to_thread(_place, folder, name)
        return reply(KeptRow(name=name, row=await asyncio.to_thread(_row, place, row_id)))

    return router


def _may_see(access: Access) -> None:
    access.need("read")
    if access.projects is not None:
        raise Forbidden("evaluations belong to no project, and this token is not for all of them")


def _folders(folder: Path) -> dict[str, Path]:
    """The folders directly in this one that hold a run; a link that leads out of it is none of them."""
    try:
        root = folder.expanduser().resolve(strict=True)
        held = sorted(root.iterdir())
    except OSError as error:
        raise UsageError(f"AGENTDOG_UI__RUNS: cannot read {folder.name}: {error.strerror}") from error
    return {each.name: each for each in held if (each / _RUN).is_file() and each.resolve().parent == root}


def _place(folder: Path | None, name: str) -> Path:
    found = _folders(folder).get(name) if folder is not None else None
    if found is None:
        raise NotFoundError(f"no run folder is named {name!r}")
    return found


def _list(folder: Path) -> list[Evaluation]:
    found = [_told(name, place) for name, place in _folders(folder).items()]
    return sorted(found, key=lambda each: each.changed, reverse=True)[:_MOST]


def _told(name: str, place: Path) -> Evaluation:
    rows = place / _ROWS
    newest = rows if rows.exists() else place / _RUN
    changed = rfc3339(newest.stat().st_mtime_ns)
    try:
        if (place / _RUN).stat().st_size > _MOST_BYTES:
            return Evaluation(name=name, changed=changed, problem=f"{_RUN} is too large to be one")
        info: dict[str, Any] = msgspec.json.decode((place / _RUN).read_bytes(), type=dict[str, Any])
        if info.get("schema") != _SCHEMA:
            return Evaluation(name=name, changed=changed, problem=f"{_RUN} is not of schema {_SCHEMA}")
        return Evaluation(
            name=name,
            changed=changed,
            rows=rows.read_bytes().count(b"\n") if rows.exists() else 0,
            data=str(info["data"]["name"]),
            guard=str(info["guard"]["name"]),
            mode=str(info.get("mode", "trajectory")),
        )
    except (msgspec.DecodeError, OSError, KeyError, TypeError) as error:
        return Evaluation(name=name, changed=changed, problem=f"{_RUN} cannot be read: {error}")


def _row(place: Path, row_id: str) -> dict[str, Any]:
    path, told = place / _ROWS, msgspec.json.encode(row_id)  # as a ledger writes it, quotes and escapes included
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else ():  # one being written is not whole yet
        if told not in line:
            continue
        row: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        if row.get("id") == row_id and not row.get("repeat"):
            return row
    raise NotFoundError(f"run {place.name} has no row {row_id!r}")


class _Reports:
    """Reports that were computed, until their run changes; one is computed at a time."""

    def __init__(self) -> None:
        self._held: dict[Path, tuple[_Stamp, dict[str, Any]]] = {}
        self._turn = asyncio.Lock()

    async def of(self, place: Path) -> dict[str, Any]:
        """Returns a run's report; raises `OutsideError` with the reason where it has none."""
        async with self._turn:
            stamp = _stamp(place)
            held = self._held.get(place)
            if held is None or held[0] != stamp:
                held = stamp, await _computed(place)
                self._held[place] = held
                while len(self._held) > _KEPT:
                    self._held.pop(next(iter(self._held)))
            return held[1]


def _stamp(place: Path) -> _Stamp:
    files = [place / name for name in (_RUN, _ROWS) if (place / name).exists()]
    return tuple((each.stat().st_mtime_ns, each.stat().st_size) for each in files)


async def _computed(place: Path) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _REPORT,
        "report",
        str(place),
        "--json",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_REPORT_S):
            out, told = await process.communicate()
    except TimeoutError:
        raise OutsideError(
            f"the report of {place.name} took longer than {_REPORT_S:.0f} s; run `atbench report`"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = told.decode("utf-8", "replace").replace(str(place), place.name).strip().splitlines()
        raise OutsideError(f"no report of {place.name}: {words[-1] if words else 'it ended without a word'}")
    (report,) = msgspec.json.decode(out, type=dict[str, dict[str, Any]]).values()
    return report
