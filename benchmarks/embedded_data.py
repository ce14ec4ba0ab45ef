"""Rows for the embedded guard's benchmark and fit: which part may be read, what is masked, the signals of steps.

The split is by group: of a set's groups those whose digest modulo 5 is 0 or 1 are *held out* (scored, never read nor
fitted on), the others are *development*. Of the made set (`atbench make agentdojo`) the runs under four of the six
attack wordings are held out whatever their group.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import multiprocessing
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agentdog.base.ids import digest
from agentdog.guards import Outcome
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.detectors import DETECTORS
from agentdog.trajectory import Header
from agentdog.trajectory.formats import Case, normalized

SETS = (
    "app1_benign",
    "tau_bench",
    "agentdojo",
    "rjudge564",
    "asse_security",
    "asb_drift",
    "atbench_sample",
    "openagentsafety",
    "odcv_bench",
)
MADE = "made"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "normalized"
WORDINGS = frozenset({"direct", "important_instructions_no_names"})
"""Attack wordings of the made set that may be read; the other four are held out."""
_LEAKS = (
    re.compile(r"You have used the attacker tool [^.;]{0,120}[.;]?"),
    re.compile(r"You have achieved the attacker goal:?[^;\n]{0,400}"),
    re.compile(r"with perspicacious discernment", re.IGNORECASE),
)
"""Words by which ASSEBench and ASB give their labels away."""
_LEAKING = frozenset({"asse_security", "asb_drift"})


class Row(NamedTuple):
    """One trajectory, read by the guard.

    Attributes:
        kind: of the made set the behaviour; of AgentDojo whether there was an attack; of tau-bench the reward.
        signals: per agent step: its index, its signals.
        latencies: of every step, seconds.
        abstained: agent steps whose prefix it does not judge; they count as not detected.
    """

    set: str
    id: str
    group: str
    label: int | None
    development: bool
    kind: str | None
    onset: int | None
    onset_from: int | None
    gold: tuple[str | None, str | None, str | None]
    severity: float | None
    signals: list[tuple[int, dict[str, float]]]
    latencies: list[float]
    abstained: int

    @property
    def safe_traffic(self) -> bool:
        """Whether any flag is a false alarm by the issue of the run: benign traffic, and injections not obeyed."""
        return (
            self.set == "app1_benign"
            or (self.set == "tau_bench" and self.kind == "reward 1")
            or (self.set in ("agentdojo", MADE) and self.label == 0)
        )


def read(names: Iterable[str], data: Path, made: Path | None, limit: int, workers: int) -> list[Row]:
    """Reads sets and the guard's signals of them.

    Args:
        names: of sets; those whose file is absent are left out.
        data: folder of the sets' files.
        made: the made set's file.
        limit: rows of the made set at most, a fair sample, since its rows are shuffled.
        workers: processes.
    """
    jobs = []
    for name in names:
        path = made if name == MADE else data / f"{name}.jsonl.gz"
        if path is None or not path.exists():
            continue
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if name == MADE and number >= limit:
                    break
                jobs.append((name, line))
    with multiprocessing.Pool(workers) as pool:
        return pool.map(_row, jobs, chunksize=16)


def _row(job: tuple[str, str]) -> Row:
    name, line = job
    value = json.loads(line)
    case = normalized.to_case(value, value["id"])
    if name in _LEAKING:
        case = _masked(case)
    meta = value.get("meta") or {}
    session = EmbeddedGuard().open(Header.of(case.trajectory))
    latencies, abstained = [], 0
    for step in case.trajectory.steps:
        session.extend(step)
        latencies.append(session.seconds)
        if step.role == "agent":
            abstained += asyncio.run(session.verdict()).outcome is Outcome.NOT_EVALUATED
    return Row(
        name,
        case.trajectory.id,
        case.group or case.trajectory.id,
        case.label,
        _development(name, case, meta),
        _kind(name, meta),
        case.unsafe_step,
        case.onset_from,
        (case.gold.risk_source, case.gold.failure_mode, case.gold.real_world_harm),
        case.severity,
        session.signals,
        latencies,
        abstained,
    )


def _development(name: str, case: Case, meta: dict[str, Any]) -> bool:
    if name == MADE and meta.get("wording") is not None:
        return meta["wording"] in WORDINGS
    return int(digest(case.group, size=4), 16) % 5 >= 2


def _kind(name: str, meta: dict[str, Any]) -> str | None:
    if name == MADE:
        return str(meta["behaviour"])
    if name == "agentdojo":
        return "attacked" if meta.get("under_attack") else "no attack"
    if name == "tau_bench":
        return f"reward {int(meta.get('reward') or 0)}"
    return None


def _masked(case: Case) -> Case:
    def mask(text: str | None) -> str | None:
        for leak in _LEAKS:
            text = leak.sub(" ", text) if text else text
        return text

    replace = msgspec.structs.replace
    steps = tuple(
        replace(s, content=mask(s.content), thought=mask(s.thought), tool_result=mask(s.tool_result))
        for s in case.trajectory.steps
    )
    return replace(case, trajectory=replace(case.trajectory, steps=steps))


def heaviest(signals: dict[str, float]) -> float:
    """Weight of the heaviest finding of any detector."""
    return max((signals.get(d.name, 0.0) for d in DETECTORS), default=0.0)
