"""The worker's part with the guard: a trajectory is diagnosed verdict by verdict, and each step of that is stored.

Invariants: a diagnosis is stored for the version that it judged or not at all; when the trajectory has moved on
meanwhile, the rest of this version is left to the next one, which finds the verdicts given so far in the cache; what is
put off is queued again, so that nothing stays unjudged but what a budget, a cap or a sample leaves out, and says so.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic

from opentelemetry.trace import Tracer

from agentdog.base.clock import Clock, SystemClock, parse_rfc3339, rfc3339
from agentdog.base.ids import digest
from agentdog.base.together import together
from agentdog.diagnosis import Alerting, Calibration, Diagnosis, Look, Policy, Terms, Tuning, look, unsettled
from agentdog.diagnosis.calibration import shipped
from agentdog.guards import Guard, Outcome, Reason, Verdict
from agentdog.guards.asker import asking
from agentdog.outbound import verdicts_unit
from agentdog.service.figures import Figures
from agentdog.service.learning import Learning
from agentdog.service.progress import Pulse
from agentdog.service.purse import StoreLeases, StorePurse
from agentdog.service.settings import Settings
from agentdog.service.tracing import SILENT, asked
from agentdog.store.contract import Assignment, Store, Work
from agentdog.trajectory import Trajectory

#: About what a person notices; a guard that is faster than that is not slowed by showing every step of its work.
_PROGRESS_S = 0.5
#: When what was put off is looked at again: soon, since whoever was in the way may be gone.
_AGAIN_S = 1.0
#: The same for what was put off for others' sake: a place behind them, since a pause would leave the guard idle.
_BEHIND_OTHERS_S = 0.05
#: How long a run that was put off is known as such; another worker may have taken it by then.
_YIELDED_S = 10.0
#: How long the answer to whether others wait holds: a look at a trajectory asks twice.
_CROWD_S = 0.2
#: How long a decision about alerts may take to hold.
_DECIDED_S = 1.0
_NANOS = 1_000_000_000
_SHARES = 1 << 32


class _MovedOn(Exception):  # noqa: N818 - ends one diagnosis, says nothing is wrong
    """The stored trajectory is another version now."""


class _ProjectCache:
    """The store's verdicts of one project, as the engine wants them.

    What a fast guard gives within one beat is written together; a slow one's verdict is written at once, since it would
    be dear to ask for again. The owner flushes at the end.
    """

    def __init__(self, store: Store, trajectory: Trajectory, beat_s: float) -> None:
        self._store = store
        self._project = trajectory.project
        self._run = trajectory.id
        self._beat_s = beat_s
        self._written_at = monotonic()
        self._unwritten: dict[str, dict[str, Verdict]] = {}

    async def get(self, guard: str, keys: Sequence[str]) -> Mapping[str, Verdict]:
        return await self._store.verdicts(self._project, guard, keys)

    async def put(self, guard: str, key: str, verdict: Verdict) -> None:
        self._unwritten.setdefault(guard, {})[key] = verdict
        if monotonic() - self._written_at >= self._beat_s:
            await self.flush()

    async def flush(self) -> None:
        unwritten, self._unwritten = self._unwritten, {}
        for guard, verdicts in unwritten.items():
            await self._store.save_verdicts(self._project, guard, verdicts, self._run)
        self._written_at = monotonic()


class _Progress:
    """Stores partial diagnoses, now and then; the first that says unsafe does not wait."""

    def __init__(self, store: Store, project: str, every_s: float, alerting: Alerting) -> None:
        self._store = store
        self._project = project
        self._every_s = every_s
        self._alerting = alerting
        self._shown_at = monotonic()
        self._alarmed = False

    def due(self, verdict: Verdict) -> bool:
        news = verdict.outcome is Outcome.UNSAFE and not self._alarmed
        return news or monotonic() - self._shown_at >= self._every_s

    async def tell(self, so_far: Diagnosis) -> None:
        self._shown_at, self._alarmed = monotonic(), so_far.verdict is Outcome.UNSAFE
        await self.save(so_far, complete=False)

    async def save(self, diagnosis: Diagnosis, *, complete: bool) -> None:
        """Stores a diagnosis; raises `_MovedOn` where it is too late."""
        project, alerting = self._project, self._alerting
        if not await self._store.save_diagnosis(project, diagnosis, complete=complete, alerting=alerting):
            raise _MovedOn


class Judging:
    """Works on the lane ``judge``: looks at one trajectory as it stands, asks the guard for what is missing.

    Args:
        store: of trajectories, verdicts and diagnoses.
        guard: who is asked.
        settings: what is asked for and what it may cost.
        figures: where it is counted.
        progress_s: least time between two partial diagnoses.
        clock: of `Diagnosis.judged_at`, budgets and latencies.
        tracer: of its own work.
        pulse: told of every verdict, since a long run judged by a slow guard advances as well.
    """

    def __init__(
        self,
        store: Store,
        guard: Guard,
        settings: Settings,
        *,
        figures: Figures | None = None,
        progress_s: float = _PROGRESS_S,
        clock: Clock | None = None,
        tracer: Tracer = SILENT,
        pulse: Pulse | None = None,
    ) -> None:
        self._pulse = pulse or Pulse()
        self._tracer = tracer
        self._store = store
        self._guard = guard
        self._learning = Learning(store, guard, clock)
        self._settings = settings
        self._figures = figures or Figures(store)
        self._progress_s = progress_s
        self._clock = clock or SystemClock()
        self._crowd = (-math.inf, False)
        self._yielded: dict[tuple[str, str], float] = {}
        self._decisions: dict[tuple[str, str], tuple[float, Tuning, Calibration | None]] = {}

    async def __call__(self, work: Work) -> None:
        """Brings a trajectory's diagnosis up to date, or says when to go on with it."""
        self._yielded.pop((work.project, work.unit), None)
        assignment = await self._store.assignment(work.project, work.unit)
        if assignment is None:
            await self._store.leftovers(work.project, work.unit)
            return
        if not assignment.trajectory.steps:
            return
        told = {"agentdog.project": work.project, "agentdog.trajectory.id": work.unit}
        with self._tracer.start_as_current_span("judge", attributes=told) as span:
            done = await self._look(assignment, work.arrived_ns)
            if done is None:
                span.set_attribute("agentdog.moved_on", value=True)
                return
            span.set_attributes({"agentdog.asked": done.asked, "agentdog.put_off": len(done.left)})
        trajectory = assignment.trajectory
        if self._settings.outbound.otlp.endpoint is not None:
            await self._store.enqueue(work.project, [verdicts_unit(trajectory.id)])
        wait_s = self._wait_s(done, trajectory)
        if done.yielded and wait_s == _BEHIND_OTHERS_S:  # one that stalled does not wait in line
            self._yielded[work.project, work.unit] = monotonic()
        if wait_s is not None:
            due_ns = self._clock.now_ns() + int(wait_s * _NANOS)
            await self._store.revisit(work.project, work.unit, due_ns, lane="judge")

    async def _look(self, assignment: Assignment, arrived_ns: int) -> Look | None:
        trajectory, project = assignment.trajectory, assignment.trajectory.project
        cache = _ProjectCache(self._store, trajectory, self._progress_s)
        leases = StoreLeases(self._store, project, self._settings.worker.lease_s)
        purse = StorePurse(self._store, project, self._settings.judge, self._clock)
        guard = await self._learning.guard_for(project)
        tuning, calibration = await self._decided(project, guard)
        progress = _Progress(self._store, project, self._progress_s, tuning.alerting)
        terms = Terms(
            policy=self._policy(tuning, calibration, guard),
            cache=cache,
            clock=self._clock,
            progress=progress.tell,
            due=progress.due,
            given=lambda index, verdict: self._count(trajectory, index, verdict, arrived_ns),
            purse=purse,
            leases=leases,
            others_wait=self._others_wait,
            reviews=assignment.reviews,
            previous=assignment.diagnosis,
            asked=assignment.asked,
            sampled=self._sampled(trajectory),
            quiet=self._quiet(trajectory),
            patient=self._recent(trajectory),
        )

        async def written() -> None:
            """Writes down what was answered and not yet written."""
            answers, purse.answers = purse.answers, 0
            counting = [self._store.count_asked(project, trajectory.id, answers)] if answers else []
            await together(cache.flush(), *counting)

        keeper = asyncio.create_task(leases.keep())
        try:
            with asking(project):
                done = await look(trajectory, guard, terms)
            await together(progress.save(done.diagnosis, complete=not done.left), written())
            if not done.left:
                await self._learning.saw(trajectory, guard)
            return done
        except _MovedOn:
            return None
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            await written()
            await self._store.leftovers(project, trajectory.id)

    async def _decided(self, project: str, asked: Guard) -> tuple[Tuning, Calibration | None]:
        """What was decided about a project's alerts; read again after a moment, since every look asks."""
        guard = asked.info.fingerprint
        read_at, tuning, calibration = self._decisions.get((project, guard), (-math.inf, Tuning(), None))
        if monotonic() - read_at > _DECIDED_S:
            tuning = await self._store.tuning(project) or Tuning()
            calibration = (await self._store.calibrations()).get(guard) or shipped(guard)
            self._decisions[project, guard] = (monotonic(), tuning, calibration)
        return tuning, calibration

    def _policy(self, tuning: Tuning, calibration: Calibration | None, asked: Guard) -> Policy:
        judge, guard = self._settings.judge, asked.info.fingerprint
        return Policy(
            observations=judge.observations,
            labels=judge.diagnose,
            alert_at=tuning.threshold_for(guard),
            alert_from=calibration.alert_from if calibration else None,
            rejudge=judge.rejudge,
            share=judge.diagnose_share,
        )

    async def _others_wait(self) -> bool:
        """Whether trajectories wait for the guard beyond those in hand, and beyond those that were put off themselves.

        If those counted, a backlog of many runs would be judged one prefix a look: each is put off for the others.
        """
        asked_at, answer = self._crowd
        now = monotonic()
        if now - asked_at > _CROWD_S:
            self._yielded = {unit: at for unit, at in self._yielded.items() if now - at < _YIELDED_S}
            waiting = await self._store.depth("judge") - self._settings.worker.judging
            answer = waiting > len(self._yielded)
            self._crowd = (now, answer)
        return answer

    def _sampled(self, trajectory: Trajectory) -> bool:
        """Whether the project's sample holds a trajectory: by its id, so that all of it is judged or nothing."""
        share = self._settings.judge.sample.get(trajectory.project, 1.0)
        return int(digest(trajectory.id, size=4), 16) < share * _SHARES

    def _quiet(self, trajectory: Trajectory) -> bool:
        return self._clock.now_ns() - _last_ns(trajectory) >= self._settings.judge.quiet_s * _NANOS

    def _wait_s(self, done: Look, trajectory: Trajectory) -> float | None:
        """Seconds until another look may bring more; ``None`` when there is nothing to wait for."""
        guard = self._settings.guard
        if done.left:
            stalled = any(step.verdict.reason is Reason.TIMED_OUT for step in done.fresh)
            quiet = self._settings.judge.quiet_s if done.left == (len(trajectory.steps) - 1,) else 0.0
            again = _BEHIND_OTHERS_S if done.yielded else max(_AGAIN_S, quiet)
            return guard.retry_s if stalled else again
        return guard.retry_s if unsettled(done.diagnosis) and self._recent(trajectory) else None

    def _recent(self, trajectory: Trajectory) -> bool:
        return self._clock.now_ns() - _last_ns(trajectory) < self._settings.guard.retry_for_s * _NANOS

    def _count(self, trajectory: Trajectory, index: int, verdict: Verdict, arrived_ns: int) -> None:
        project, now_ns, figures = trajectory.project, self._clock.now_ns(), self._figures
        self._pulse.advanced("judge")
        asked(self._tracer, self._guard.info.name, index, verdict, now_ns)
        figures.count("verdicts", project, verdict.outcome)
        tokens = {"prompt": verdict.prompt_tokens, "cached": verdict.cached_tokens}
        for kind, number in (*tokens.items(), ("completion", verdict.completion_tokens)):
            figures.count("tokens", project, kind, by=number or 0)
        if verdict.reason is not None:
            figures.count("not_evaluated", project, verdict.reason)
            return
        if verdict.labels is not None:
            figures.count("labelled", project)
        figures.observe("guard_seconds", verdict.latency_ms / 1000)
        step = trajectory.steps[index]
        ended = step.end_time or step.start_time
        if ended:
            figures.observe("step_to_verdict_seconds", (now_ns - parse_rfc3339(ended)) / _NANOS, "span_end")
        if arrived_ns:
            figures.observe("step_to_verdict_seconds", (now_ns - arrived_ns) / _NANOS, "arrival")


def _last_ns(trajectory: Trajectory) -> int:
    times = [step.end_time or step.start_time for step in trajectory.steps]
    return parse_rfc3339(max(filter(None, times), default=rfc3339(0)))  # of fixed width: text order is time order
