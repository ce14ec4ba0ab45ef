"""How many alerts a threshold would have raised: stored verdicts replayed, nobody asked again. Pure.

The threshold is on the highest P(unsafe) over an incident's steps, which is what people are alerted by; the step that
exceeds it first is where they are alerted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from agentdog.diagnosis.calibration import Calibration
from agentdog.diagnosis.incidents import alert_of, find_incidents
from agentdog.diagnosis.model import Diagnosis, Incident
from agentdog.guards import Outcome
from agentdog.trajectory import Trajectory

Alerting = Literal["observe", "on"]
#: Where the threshold in effect comes from: people, benign runs, or nowhere.
Basis = Literal["tuned", "calibrated", "uncalibrated"]


class Tuning(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was decided about a project's alerts.

    Attributes:
        alerting: ``observe`` counts what would have alerted and tells nobody; ``on`` tells.
        alert_at: P(unsafe) from which an incident is one to tell of; without it every incident is.
        guard: fingerprint of the guard whose verdicts it was chosen on; another guard's numbers mean something else,
            so it does not hold for them.
        max_alerts_per_day: what it was chosen for.
        time: RFC 3339, when it was decided.
    """

    alerting: Alerting = "observe"
    alert_at: float | None = None
    guard: str | None = None
    max_alerts_per_day: float | None = None
    time: str | None = None

    def threshold_for(self, guard: str) -> float | None:
        """Returns the threshold where it was chosen for this guard."""
        return self.alert_at if self.guard in (None, guard) else None


class Threshold(NamedTuple):
    """From which P(unsafe) on an incident alerts, and on what grounds; without one every incident does."""

    basis: Basis
    alert_from: float | None = None


def in_effect(guard: str, tuning: Tuning | None, calibration: Calibration | None) -> Threshold:
    """Says which threshold holds for a guard: what people decided on its verdicts, else what benign runs say."""
    decided = tuning.threshold_for(guard) if tuning else None
    if decided is not None:
        return Threshold("tuned", decided)
    if calibration is not None and calibration.guard == guard:
        return Threshold("calibrated", calibration.alert_from)
    return Threshold("uncalibrated")


class Alarm(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An alert that a threshold would have raised: which run, at which step (from 0), how likely, in one sentence."""

    trajectory_id: str
    onset: int
    p_unsafe: float | None = None
    summary: str


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One threshold.

    Attributes:
        threshold: P(unsafe) from which an incident alerts.
        alerts: it would have raised.
        trajectories: on how many.
        per_day: alerts over the days that the runs span.
        more: the alerts that it would have raised and the next higher threshold would not; the first of them.
    """

    threshold: float
    alerts: int
    trajectories: int
    per_day: float
    more: tuple[Alarm, ...] = ()


class Replay(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Stored verdicts, replayed.

    Attributes:
        trajectories: with a diagnosis of this guard.
        days: that they span; at least one hour, so that a burst is not called a day's worth.
        without_probability: incidents whose guard gave no probability: they alert whatever the threshold is.
        candidates: from the highest threshold to the lowest.
        chosen: the lowest threshold that keeps to the budget; absent where none does, or no budget was given.
        cut: whether there were more runs than were replayed; the newest were.
    """

    guard: str
    trajectories: int
    days: float
    without_probability: int
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None = None
    cut: bool = False


#: Alerts that a candidate lists.
MORE = 20


def replay(
    judged: Sequence[tuple[Trajectory, Diagnosis]], guard: str, *, days: float, max_per_day: float | None = None
) -> Replay:
    """Counts the alerts that each threshold would have raised.

    Args:
        judged: trajectories with their diagnoses; those of another guard are left out.
        guard: fingerprint.
        days: that the trajectories span.
        max_per_day: the budget; ``None`` chooses nothing.
    """
    mine = [_Rerun(t, d) for t, d in judged if d.guard.fingerprint == guard]
    span = max(days, 1 / 24)
    candidates: list[Candidate] = []
    before = [0] * len(mine)
    for at in _thresholds(each.diagnosis for each in mine):
        alerts = [each.alerts(at) for each in mine]
        more = [a for run, had, has in zip(mine, before, alerts, strict=True) for a in run.alarms(has, len(has) - had)]
        before = [len(has) for has in alerts]
        candidates.append(
            Candidate(
                threshold=at,
                alerts=sum(before),
                trajectories=sum(map(bool, before)),
                per_day=round(sum(before) / span, 3),
                more=tuple(more[:MORE]),
            )
        )
    fitting = [c for c in candidates if max_per_day is not None and c.per_day <= max_per_day]
    return Replay(
        guard=guard,
        trajectories=len(mine),
        days=round(span, 3),
        without_probability=sum(i.peak is None for each in mine for i in each.incidents(None)),
        candidates=tuple(candidates),
        chosen=fitting[-1] if fitting else None,
    )


class _Rerun:
    """One run, read again at one threshold after the other; incidents are found anew only where a step turns red."""

    def __init__(self, trajectory: Trajectory, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        self._trajectory = trajectory
        self._reviews = {incident.id: incident.state for incident in diagnosis.incidents}
        safe = (s.verdict for s in diagnosis.steps if s.verdict.outcome is Outcome.SAFE)
        self._calm = [v.p_unsafe for v in safe if v.p_unsafe is not None]
        self._found: dict[int, tuple[Incident, ...]] = {}

    def incidents(self, at: float | None) -> tuple[Incident, ...]:
        """Incidents where a step counts as unsafe from `at` on."""
        red = 0 if at is None else sum(p >= at for p in self._calm)
        if red not in self._found:
            self._found[red] = find_incidents(
                self._trajectory,
                self.diagnosis.steps,
                known=self.diagnosis.incidents,
                reviews=self._reviews,
                alert_at=at if red else None,
            )
        return self._found[red]

    def alerts(self, at: float) -> list[Incident]:
        """Those that people would have been told of, the least likely first."""
        told = [incident for incident in self.incidents(at) if alert_of(incident, at).alert]
        return sorted(told, key=lambda incident: incident.peak or 0.0)

    def alarms(self, incidents: Sequence[Incident], number: int) -> list[Alarm]:
        """The first so many, as they are shown."""
        return [
            Alarm(trajectory_id=self._trajectory.id, onset=i.onset, p_unsafe=i.peak, summary=i.summary)
            for i in incidents[: max(number, 0)]
        ]


def _thresholds(diagnoses: Iterable[Diagnosis]) -> list[float]:
    """Highest scores that occur, the highest first, cut to three digits; and one that hardly any reaches."""
    peaks = {math.floor(d.p_unsafe * 1000 + 1e-9) / 1000 for d in diagnoses if d.p_unsafe is not None}
    return [1.0, *sorted((p for p in peaks if 0 < p < 1), reverse=True)]
