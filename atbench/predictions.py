"""Somebody else's answers: a file of predictions, one JSON object a line, scored as a run of ours is.

``{"id", "prediction": 0 | 1 | null, "p_unsafe"?, "risk_source"?, "failure_mode"?, "real_world_harm"?, "unsafe_step"?,
"raw"?, "label"?}``. Invariants: every row of the gold set is scored, so a missing id is an error and not a smaller set;
``null`` is an answer that could not be read, and counts as the wrong class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

import taxonomy
from agentdog.base.errors import DecodeError, UsageError
from agentdog.base.ids import digest
from agentdog.diagnosis.model import StepVerdict
from agentdog.guards import GuardInfo, Labels, Outcome, Reason, Verdict
from agentdog.trajectory.formats import Case, files
from agentdog.trajectory.formats.case import Gold
from atbench.ledger import DataInfo, Ledger, RunInfo
from atbench.metrics import Row
from atbench.record import Record, known_labels

_SHOWN = 5


class Prediction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the file."""

    id: str | int
    prediction: Literal[0, 1] | None
    p_unsafe: float | None = None
    risk_source: str | None = None
    failure_mode: str | None = None
    real_world_harm: str | None = None
    unsafe_step: int | None = None
    raw: Any = None
    label: Literal[0, 1] | None = None

    def __post_init__(self) -> None:
        """Holds that a probability is one."""
        if self.p_unsafe is not None and not 0 <= self.p_unsafe <= 1:
            raise ValueError(f"p_unsafe is {self.p_unsafe}; expected a probability in [0, 1]")


def read(path: Path) -> list[Prediction]:
    """Reads a file of predictions.

    Raises:
        DecodeError: naming row and field that do not fit, or an id that is there twice.
    """
    _, values = files.read_values(path)
    found: dict[str, Prediction] = {}
    for where, row in files.rows(path, values):
        try:
            one = msgspec.convert(row, Prediction)
        except msgspec.ValidationError as error:
            raise DecodeError(f"{where}: {error}") from error
        if str(one.id) in found:
            raise DecodeError(f"{where}: id {one.id} is there twice")
        found[str(one.id)] = one
    if not found:
        raise DecodeError(f"{path}: no predictions in it")
    return list(found.values())


def to_rows(predictions: Sequence[Prediction], cases: Sequence[Case] | None) -> list[Row]:
    """Puts predictions beside gold labels.

    Args:
        predictions: each id once.
        cases: the gold set; without it, each prediction carries its own label.

    Raises:
        UsageError: naming ids without a prediction, without a row, or without a label.
    """
    given = {str(one.id): one for one in predictions}
    if cases is None:
        unlabelled = [name for name, one in given.items() if one.label is None]
        _none(unlabelled, "predictions carry no label; add one, or name the gold set with --dataset")
        return [_row(one, None) for one in predictions]
    times = Counter(case.trajectory.id for case in cases)
    _none(
        [name for name, count in times.items() if count > 1], "ids name more than one row of the set; make them differ"
    )
    wanted = {case.trajectory.id: case for case in cases if case.label is not None}
    _none([name for name in wanted if name not in given], "labelled rows have no prediction")
    everything = {case.trajectory.id for case in cases}
    _none([name for name in given if name not in everything], "predictions are for no row of the set")
    return [_row(given[name], case) for name, case in wanted.items()]


def to_folder(folder: Path, place: Path, predictions: Sequence[Prediction], held: tuple[DataInfo, list[Case]]) -> None:
    """Keeps predictions as a run, so that they can be compared, reported and gated like one of ours.

    A row without a label and without a prediction is left out; which step was meant is kept, not where others were.

    Raises:
        UsageError: when the folder holds another run.
    """
    data, cases = held
    name = f"predictions {place.name}"
    guard = GuardInfo(name=name, uri=name, fingerprint=digest("predictions", place.read_bytes(), size=8))
    ledger = Ledger(folder, RunInfo(data=data, guard=guard))
    try:
        there = {record.n for record in ledger.records}
        given = {str(one.id): one for one in predictions}
        for n, case in enumerate(cases):
            one = given.get(case.trajectory.id)
            if one is not None and n not in there and case.trajectory.steps:
                ledger.add(Record.of(case, n, 0, (_verdict(one, case, guard.fingerprint),)))
    finally:
        ledger.close()


def _verdict(one: Prediction, case: Case, guard: str) -> StepVerdict:
    steps = case.trajectory.steps
    step = steps[one.unsafe_step if one.unsafe_step is not None and 0 <= one.unsafe_step < len(steps) else -1]
    outcomes = {1: Outcome.UNSAFE, 0: Outcome.SAFE, None: Outcome.NOT_EVALUATED}
    labels = known_labels(Gold(**{axis: getattr(one, axis) for axis in taxonomy.AXES}))
    verdict = Verdict(
        outcome=outcomes[one.prediction],
        guard=guard,
        p_unsafe=one.p_unsafe,
        labels=labels if labels != Labels() else None,
        reason=Reason.UNPARSABLE if one.prediction is None else None,
        raw=None if one.raw is None else str(one.raw),
    )
    return StepVerdict(step_id=step.id, index=step.index, verdict=verdict)


def _row(one: Prediction, case: Case | None) -> Row:
    step = one.unsafe_step
    gold = Gold(risk_source=one.risk_source, failure_mode=one.failure_mode, real_world_harm=one.real_world_harm)
    return Row(
        id=str(one.id),
        group=case.group if case else str(one.id),
        label=case.label if case else one.label,
        prediction=one.prediction,
        p_unsafe=one.p_unsafe,
        reason=Reason.UNPARSABLE if one.prediction is None else None,
        gold=known_labels(case.gold) if case else Labels(),
        labels=known_labels(gold),
        unsafe_step=case.unsafe_step if case else None,
        onset_from=case.onset_from if case else None,
        judged=_agent_steps(case) if case else (),
        flagged=(step,) if step is not None and one.prediction == 1 else (),
        length=len(case.trajectory.steps) if case else 0,
    )


def _agent_steps(case: Case) -> tuple[int, ...]:
    return tuple(step.index for step in case.trajectory.steps if step.role == "agent")


def _none(ids: Sequence[str], what: str) -> None:
    if ids:
        shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        raise UsageError(f"{len(ids)} {what}: {shown}")
