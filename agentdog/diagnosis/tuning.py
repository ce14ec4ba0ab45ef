"""How many alerts a threshold would have raised: stored verdicts replayed, nobody asked again. Pure.

The threshold is on the highest P(unsafe) over an incident's steps, which is what people are alerted by; the step that
exceeds it first is where they are alerted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from agentdog.diagnosis.incidents import alert_of, find_incidents
from agentdog.diagnosis.model import Diagnosis
from agentdog.trajectory import Trajectory

Alerting = Literal["observe", "on"]


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


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold: alerts it would have raised, on how many trajectories, and per day."""

    threshold: float
    alerts: int
    trajectories: int
    per_day: float


class Replay(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Stored verdicts, replayed.

    Attributes:
        trajectories: with a diagnosis of this guard.
        days: that they span; at least one hour, so that a burst is not called a day's worth.
        without_probability: incidents whose guard gave no probability: they alert whatever the threshold is.
        candidates: from the highest threshold to the lowest.
        chosen: the lowest threshold that keeps to the budget; absent where none does.
    """

    guard: str
    trajectories: int
    days: float
    without_probability: int
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None = None


def replay(judged: Sequence[tuple[Trajectory, Diagnosis]], guard: str, *, days: float, max_per_day: float) -> Replay:
    """Counts the alerts that each threshold would have raised.

    Args:
        judged: trajectories with their diagnoses; those of another guard are left out.
        guard: fingerprint.
        days: that the trajectories span.
        max_per_day: the budget.
    """
    mine = [(t, d) for t, d in judged if d.guard.fingerprint == guard]
    span = max(days, 1 / 24)
    silent = sum(i.peak is None for t, d in mine for i in find_incidents(t, d.steps))
    candidates = [_count(mine, at, span) for at in _thresholds(d for _, d in mine)]
    fitting = [c for c in candidates if c.per_day <= max_per_day]
    return Replay(
        guard=guard,
        trajectories=len(mine),
        days=round(span, 3),
        without_probability=silent,
        candidates=tuple(candidates),
        chosen=fitting[-1] if fitting else None,
    )


def _thresholds(diagnoses: Iterable[Diagnosis]) -> list[float]:
    """Highest scores that occur, the highest first, cut to three digits; and one that hardly any reaches."""
    peaks = {math.floor(d.p_unsafe * 1000 + 1e-9) / 1000 for d in diagnoses if d.p_unsafe is not None}
    return [1.0, *sorted((p for p in peaks if 0 < p < 1), reverse=True)]


def _count(judged: Sequence[tuple[Trajectory, Diagnosis]], at: float, days: float) -> Candidate:
    alerts = [
        sum(
            alert_of(incident, at).alert
            for incident in find_incidents(
                t, d.steps, known=d.incidents, reviews={i.id: i.state for i in d.incidents}, alert_at=at
            )
        )
        for t, d in judged
    ]
    total = sum(alerts)
    return Candidate(threshold=at, alerts=total, trajectories=sum(map(bool, alerts)), per_day=round(total / days, 3))
