"""One judged case as it is kept: what the annotators say, and every verdict as the guard gave it.

Invariant: scores are computed from records alone, so a report needs neither the guard nor the data set again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

import taxonomy
from agentdog.diagnosis.incidents import find_incidents
from agentdog.diagnosis.model import StepVerdict
from agentdog.guards import Labels, Outcome
from agentdog.trajectory.formats import Case, Gold
from atbench.metrics import Row

TOP = 3
_PREDICTIONS = {Outcome.UNSAFE: 1, Outcome.SAFE: 0, Outcome.NOT_EVALUATED: None}


class Mode(StrEnum):
    """What is asked of the guard.

    ``trajectory``: one verdict of the whole, as the papers ask. ``every-step``: one of each prefix that ends in an
    agent step, as the service asks; unsafe when any is. ``diagnosis-only``: the labels of rows that are unsafe (arXiv
    2604.02022 §4.1). ``end-to-end``: one verdict of the whole, and labels only where it is unsafe.
    """

    TRAJECTORY = "trajectory"
    EVERY_STEP = "every-step"
    DIAGNOSIS_ONLY = "diagnosis-only"
    END_TO_END = "end-to-end"


class Record(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line of ``rows.jsonl``.

    Attributes:
        n: the row's place in the file, counted from 0.
        repeat: which time it was asked, counted from 0.
        length: steps of the trajectory.
        labels: where, how and what, of the first incident or of the guard that was asked for them.
        verdicts: of the guard, by step.
        diagnosed: of the guard that was asked for labels apart, where one was.
        seconds: wall time of judging, waiting for a free slot of the guard included.
    """

    n: int
    repeat: int = 0
    id: str
    group: str
    label: int | None = None
    gold: Labels = Labels()
    unsafe_step: int | None = None
    onset_from: int | None = None
    severity: float | None = None
    length: int
    labels: Labels = Labels()
    verdicts: tuple[StepVerdict, ...]
    diagnosed: StepVerdict | None = None
    seconds: float = 0.0

    @staticmethod
    def of(
        case: Case,
        n: int,
        repeat: int,
        verdicts: Sequence[StepVerdict],
        diagnosed: StepVerdict | None = None,
        seconds: float = 0.0,
    ) -> Record:
        """Puts what the guard says beside what the annotators say."""
        incidents = find_incidents(case.trajectory, verdicts)
        labels = incidents[0].labels if incidents else Labels()
        if diagnosed is not None:
            labels = diagnosed.verdict.labels or Labels()
        return Record(
            n=n,
            repeat=repeat,
            id=case.trajectory.id,
            group=case.group,
            label=case.label,
            gold=known_labels(case.gold),
            unsafe_step=case.unsafe_step,
            onset_from=case.onset_from,
            severity=case.severity,
            length=len(case.trajectory.steps),
            labels=labels,
            verdicts=tuple(verdicts),
            diagnosed=diagnosed,
            seconds=seconds,
        )

    def row(self) -> Row:
        """Returns what is scored."""
        asked = [step.verdict for step in (*self.verdicts, *((self.diagnosed,) if self.diagnosed else ()))]
        own = [step.verdict for step in self.verdicts]
        return Row(
            id=self.id,
            group=self.group,
            label=self.label,
            prediction=_overall([v.outcome for v in own]),
            p_unsafe=max((v.p_unsafe for v in own if v.p_unsafe is not None), default=None),
            reason=next((v.reason for v in own if v.reason), None),
            gold=self.gold,
            labels=self.labels,
            ranked=_ranked(self.diagnosed, self.verdicts),
            unsafe_step=self.unsafe_step,
            onset_from=self.onset_from,
            severity=self.severity,
            flagged=tuple(s.index for s in self.verdicts if s.verdict.outcome is Outcome.UNSAFE),
            judged=tuple(s.index for s in self.verdicts),
            step_p=tuple(s.verdict.p_unsafe for s in self.verdicts),
            length=self.length,
            steps=len(asked),
            prompt_tokens=sum(v.prompt_tokens or 0 for v in asked),
            cached_tokens=sum(v.cached_tokens or 0 for v in asked),
            completion_tokens=sum(v.completion_tokens or 0 for v in asked),
        )


def _ranked(diagnosed: StepVerdict | None, verdicts: Sequence[StepVerdict]) -> dict[str, tuple[str, ...]]:
    """The likeliest labels by axis, of whoever was asked for labels first."""
    asked = [diagnosed] if diagnosed is not None else verdicts
    axes = next((step.verdict.axes for step in asked if step.verdict.axes), {})
    return {axis: tuple(sorted(shares, key=lambda label: -shares[label])[:TOP]) for axis, shares in axes.items()}


def _overall(outcomes: Sequence[Outcome]) -> int | None:
    """Unsafe if any is; safe only if all are."""
    if Outcome.UNSAFE in outcomes:
        return 1
    return 0 if outcomes and set(outcomes) == {Outcome.SAFE} else None


def known_labels(gold: Gold) -> Labels:
    """Reads annotated labels that the taxonomy knows, its overlays included; other vocabularies give none."""
    table = taxonomy.load("all")
    return Labels(
        **{axis: table.normalise(axis, text) for axis in taxonomy.AXES if (text := getattr(gold, axis)) is not None}
    )
