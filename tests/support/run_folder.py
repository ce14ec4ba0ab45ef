"""Run folders as ``atbench run --out`` writes them, by the embedded guard over a handful of rows."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agentdog.base.ids import digest
from agentdog.diagnosis.engine import diagnose
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats import Case, Gold
from atbench.ledger import DataInfo, Ledger, RunInfo
from atbench.record import Mode, Record
from tests.support import runs


def make(folder: Path) -> Path:
    """Puts two runs of four rows, a folder that holds none, and a link that leads elsewhere into a folder."""
    inside = folder / "runs"
    for name in ("first", "second"):
        _run(inside / name)
    (inside / "broken").mkdir()
    (inside / "broken" / "run.json").write_text("{", "utf-8")
    (inside / "empty").mkdir()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "run.json").write_text("{}", "utf-8")
    (inside / "outside").symlink_to(elsewhere)
    return inside


def _run(folder: Path) -> None:
    guard = EmbeddedGuard()
    cases = _cases()
    data = DataInfo(name="rows.jsonl", sha256=digest("rows", size=32), format="native", rows=len(cases))
    ledger = Ledger(folder, RunInfo(data=data, guard=guard.info, mode=Mode.EVERY_STEP))
    try:
        for n, case in enumerate(cases):
            diagnosis = asyncio.run(diagnose(case.trajectory, guard))
            ledger.add(Record.of(case, n, 0, diagnosis.steps))
    finally:
        ledger.close()


def _cases() -> list[Case]:
    labels = runs.LABELS
    gold = Gold(
        risk_source=labels.risk_source, failure_mode=labels.failure_mode, real_world_harm=labels.real_world_harm
    )

    def case(trajectory: Trajectory, label: int) -> Case:
        bad = label == 1
        return Case(
            trajectory=trajectory,
            label=label,
            gold=gold if bad else Gold(),
            unsafe_step=5 if bad else None,
            group=trajectory.id,
            source="rows",
        )

    return [
        case(runs.injected().trajectory, 1),
        case(runs.benign().trajectory, 0),
        case(runs.unreachable().trajectory, 0),
        case(runs.hostile().trajectory, 1),
    ]
