"""One evaluation from URI to report: what `atbench run` does, for whoever wants it without the command line.

Invariant: a folder given to it holds, at every moment, all that was answered so far; nothing kept is asked again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import parse_qs

import msgspec

from agentdog.base.errors import UsageError
from agentdog.guards import Guard, factory
from agentdog.guards.server import ServerOptions
from agentdog.trajectory.formats import Case
from atbench import ray_engine
from atbench.ledger import BASELINES, Asking, DataInfo, Ledger, Prices, RunInfo
from atbench.record import Mode, Record
from atbench.report import Report, report, score_shortcuts
from atbench.runner import Asked, Judges
from atbench.runner import run as judge_all

#: Given how many rows there will be and those that are there, gives what to call with each record.
Watch = Callable[[int, Iterable[Record]], AbstractContextManager[Callable[[Record], None]]]
#: Rows in flight by kind of guard, where its URI does not say: a vLLM engine makes its own batches of what is waiting.
_AT_ONCE = {"server": ServerOptions().concurrency, "vllm": 64}


def default_packs() -> Path:
    """The pack folder that ``agentdog packs`` keeps by default, for official wording and packs of the user's own."""
    home = os.environ.get("XDG_DATA_HOME")
    shared = Path(home) if home else Path.home() / ".local" / "share"
    return Path(os.environ.get("AGENTDOG_DATA") or shared / "agentdog") / factory.PACKS_FOLDER


class Job(NamedTuple):
    """Who is asked, and how.

    Attributes:
        guard: URI of the guard; `labeller` of the one for labels, where it is another.
        concurrency: rows in flight; ``None`` for the guard's own limit.
        engine: ``here`` asks from this process, ``ray`` from `workers` of Ray Data.
        out: folder that keeps every answer; resumes.
        packs: the user's pack folder.
    """

    guard: str
    labeller: str | None = None
    mode: Mode = Mode.TRAJECTORY
    repeats: int = 1
    concurrency: int | None = None
    engine: Literal["here", "ray"] = "here"
    workers: int = 2
    out: Path | None = None
    prices: Prices | None = None
    baselines: bool = True
    packs: Path | None = None


def evaluate(data: DataInfo, cases: Sequence[Case], job: Job, watch: Watch) -> Report:
    """Judges rows and scores them.

    Raises:
        UsageError: for a combination that means nothing, or a folder that holds another run.
        OutsideError: for a guard or an engine that cannot be had.
    """
    if job.labeller is not None and job.mode not in (Mode.END_TO_END, Mode.DIAGNOSIS_ONLY):
        raise UsageError(f"--diagnose-guard has no part in --mode {job.mode}; use end-to-end or diagnosis-only")
    labeller = factory.build(job.labeller, job.packs, diagnoses=True) if job.labeller else None
    judges = Judges(job.mode, factory.build(job.guard, job.packs), labeller)
    asked = [
        Asked(n, repeat, case)
        for repeat in range(job.repeats)
        for n, case in enumerate(cases)
        if job.mode is not Mode.DIAGNOSIS_ONLY or case.label == 1
    ]
    with asyncio.Runner() as loop:
        try:
            info = loop.run(_describe(data, judges, job))
            records = _records(asked, judges, info, job, loop, watch)
        finally:
            loop.run(judges.close())
    shortcuts = score_shortcuts(cases) if job.baselines else {}
    if job.out is not None:
        (job.out / BASELINES).write_bytes(msgspec.json.encode(shortcuts) + b"\n")
    return report(records, info, shortcuts)


def at_once(uri: str) -> int:
    """How many rows to have in flight: as the URI says, or as its kind of guard bears; a cascade as its last stage."""
    uri = uri.removeprefix("cascade:").rpartition(">")[2].strip()
    scheme, _, rest = uri.partition(":")
    said = parse_qs(rest.partition("?")[2]).get("concurrency", []) if scheme in factory.SCHEMES else []
    return int(said[0]) if said and said[0].isdigit() else _AT_ONCE.get(scheme, 1)


async def _describe(data: DataInfo, judges: Judges, job: Job) -> RunInfo:
    return RunInfo(
        data=data,
        guard=judges.guard.info,
        asking=await _asking(judges.guard, job),
        labeller=judges.labeller.info if judges.labeller else None,
        labeller_asking=await _asking(judges.labeller, job) if judges.labeller else None,
        mode=job.mode,
        repeats=job.repeats,
        concurrency=job.concurrency or at_once(job.guard),
        engine=job.engine,
        prices=job.prices,
    )


async def _asking(guard: Guard, job: Job) -> Asking:
    return Asking.of(guard.info, (await guard.health()).detail, getattr(guard, "pack", None), job.packs)


def _records(
    asked: list[Asked], judges: Judges, info: RunInfo, job: Job, loop: asyncio.Runner, watch: Watch
) -> list[Record]:
    """Asks for what the folder lacks, or for all; what is there in the end is in order."""
    ledger = Ledger(job.out, info) if job.out is not None else None
    try:
        there = {(record.n, record.repeat) for record in ledger.records} if ledger else set()
        missing = [one for one in asked if (one.n, one.repeat) not in there]
        with watch(len(asked), ledger.records if ledger else ()) as done:

            def keep(record: Record) -> None:
                if ledger is not None:
                    ledger.add(record)
                done(record)

            if job.engine == "ray":
                spread = ray_engine.Spread(job.mode, job.guard, job.labeller, job.packs, job.workers, info.concurrency)
                new = ray_engine.run(missing, spread, keep)
            else:
                new = loop.run(judge_all(missing, judges, concurrency=info.concurrency, done=keep))
        return sorted(ledger.records if ledger else new, key=lambda record: (record.repeat, record.n))
    finally:
        if ledger is not None:
            ledger.close()
