"""When people are alerted: the threshold in effect, what others would have alerted, and where they come from.

Invariant: nobody is asked again; whatever is decided here rests on verdicts that are stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from agentdog.base.clock import Clock, SystemClock, parse_rfc3339, rfc3339
from agentdog.base.errors import UsageError
from agentdog.diagnosis import (
    Alerting,
    Basis,
    Calibration,
    Diagnosis,
    Replay,
    Tuning,
    calibrate,
    in_effect,
    replay,
)
from agentdog.diagnosis.calibration import shipped
from agentdog.guards import Guard, GuardInfo
from agentdog.service.learning import Learning
from agentdog.store.contract import Query, Store, Stored

#: Runs that are replayed at most, the newest first; a thousand take about a second.
MOST_RUNS = 5000
_PAGE = 200
_DAY_S = 86_400

#: Which stored runs count as benign: those that people approved, or all but those whose incident people confirmed.
Benign = Literal["approved", "all"]


class AlertState(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a project's alerts stand.

    Attributes:
        alerting: ``observe`` counts what would alert and tells nobody; ``on`` tells.
        basis: whether the threshold is people's (``tuned``), comes from benign runs (``calibrated``), or there is none
            (``uncalibrated``): then every incident that the guard calls one alerts.
        alert_from: P(unsafe) from which an incident alerts.
        guard: name and fingerprint of the guard in use.
        tuning: what was decided about the project.
        calibration: of the guard in use.
        note: what people must know, such as a threshold that was chosen on another guard.
    """

    project: str
    alerting: Alerting
    basis: Basis
    alert_from: float | None = None
    guard: tuple[str, str]
    tuning: Tuning | None = None
    calibration: Calibration | None = None
    note: str | None = None


class Alerts:
    """Reads and decides when people are alerted.

    Args:
        store: of diagnoses and decisions.
        guard: the one in use; a project may have a learned one of its own.
        clock: of decisions.
    """

    def __init__(self, store: Store, guard: Guard, clock: Clock | None = None) -> None:
        self._store = store
        self._guard = guard
        self._learning = Learning(store, guard, clock)
        self._clock = clock or SystemClock()

    async def states(self, projects: Iterable[str]) -> Sequence[AlertState]:
        """Returns how alerts stand in each project."""
        fitted = await self._store.calibrations()
        return [await self._state(name, await self._store.tuning(name), fitted) for name in projects]

    async def _guard_of(self, project: str) -> GuardInfo:
        return (await self._learning.guard_for(project)).info

    async def _state(self, project: str, tuning: Tuning | None, fitted: Mapping[str, Calibration]) -> AlertState:
        guard = await self._guard_of(project)
        calibration = fitted.get(guard.fingerprint) or shipped(guard.fingerprint)
        basis, alert_from = in_effect(guard.fingerprint, tuning, calibration)
        note = None
        if tuning is not None and tuning.alert_at is not None and basis != "tuned":
            note = (
                f"the threshold {tuning.alert_at:g} was chosen on guard {tuning.guard}, and does not hold for this one"
            )
        elif basis == "uncalibrated":
            note = "this guard has no calibrated threshold: every incident that it calls one alerts"
        return AlertState(
            project=project,
            alerting=tuning.alerting if tuning else "observe",
            basis=basis,
            alert_from=alert_from,
            guard=(guard.name, guard.fingerprint),
            tuning=tuning,
            calibration=calibration,
            note=note,
        )

    async def replay(self, project: str, *, days: float | None = None, max_per_day: float | None = None) -> Replay:
        """Says what each threshold would have alerted over a project's stored runs.

        Args:
            project: its name.
            days: how far back from now; all that is stored otherwise.
            max_per_day: chooses the lowest threshold that keeps to it.
        """
        runs, cut = await self._runs(project, days)
        judged = [(run.trajectory, run.diagnosis) for run in runs if run.diagnosis is not None]
        guard = await self._guard_of(project)
        found = await asyncio.to_thread(
            replay, judged, guard.fingerprint, days=days or _spanned(runs), max_per_day=max_per_day
        )
        return msgspec.structs.replace(found, cut=cut)

    async def decide(self, project: str, changes: Mapping[str, object]) -> AlertState:
        """Changes a project's tuning; what is not among `changes` stays as it is.

        Args:
            project: its name.
            changes: fields of `Tuning`; a threshold is one for the guard in use.
        """
        before = await self._store.tuning(project) or Tuning()
        if "alert_at" in changes:
            changes = {"max_alerts_per_day": None, **changes, "guard": (await self._guard_of(project)).fingerprint}
        decided = msgspec.structs.replace(before, **changes, time=rfc3339(self._clock.now_ns()))
        await self._store.save_tuning(project, decided)
        return (await self.states([project]))[0]

    async def calibrate_on(self, project: str, *, benign: Benign, false_alarm: float) -> Calibration:
        """Fits the guard's threshold on benign runs of a project; runs that begin alike count as one.

        Raises:
            UsageError: too few of them.
        """
        runs, _ = await self._runs(project, None)
        guard = await self._guard_of(project)
        scores: dict[str, list[float]] = {}
        for run in runs:
            diagnosis = run.diagnosis
            if diagnosis is None or diagnosis.guard.fingerprint != guard.fingerprint:
                continue
            if diagnosis.p_unsafe is not None and _is_benign(run, diagnosis, benign):
                scores.setdefault(run.summary.title, []).append(diagnosis.p_unsafe)
        words = "approved by people" if benign == "approved" else "taken for benign, confirmed incidents left out"
        number = sum(map(len, scores.values()))
        return await self.calibrate_with(
            scores, false_alarm, f"{number} stored runs of project {project}, {words}", guard.fingerprint
        )

    async def calibrate_with(
        self, scores: Mapping[str, Sequence[float]], false_alarm: float, source: str, guard: str | None = None
    ) -> Calibration:
        """Fits a guard's threshold on scores of benign runs, and keeps it.

        Raises:
            UsageError: too few of them, or none whose verdicts are this guard's.
        """
        if not scores:
            raise UsageError(f"no benign run with a P(unsafe) of guard {self._guard.info.name}: {source}")
        now = rfc3339(self._clock.now_ns())
        fitted = calibrate(
            scores, guard or self._guard.info.fingerprint, false_alarm=false_alarm, source=source, time=now
        )
        await self._store.save_calibration(fitted)
        return fitted

    async def _runs(self, project: str, days: float | None) -> tuple[list[Stored], bool]:
        """Returns the newest runs, and whether there are more."""
        since = None if days is None else rfc3339(self._clock.now_ns() - int(days * _DAY_S * 1e9))
        found: list[Stored] = []
        query = Query(project=project, since=since, limit=_PAGE)
        while True:
            page = await self._store.list(query)
            for row in page.items:
                stored = await self._store.get(row.id, project)
                if stored is not None:
                    found.append(stored)
            if page.next is None or len(found) >= MOST_RUNS:
                return found, page.next is not None
            query = msgspec.structs.replace(query, cursor=page.next)


def _is_benign(run: Stored, diagnosis: Diagnosis, benign: Benign) -> bool:
    if benign == "approved":
        said = [review.action for review in run.reviews if review.subject == "run"]
        return bool(said) and said[-1] == "approve"
    return all(incident.state != "confirmed" for incident in diagnosis.incidents)


def _spanned(runs: Sequence[Stored]) -> float:
    """Days between the first run's start and the last one's end."""
    if not runs:
        return 0.0
    first = min(parse_rfc3339(run.summary.start_time) for run in runs)
    last = max(parse_rfc3339(run.summary.end_time) for run in runs)
    return (last - first) / 1e9 / _DAY_S
