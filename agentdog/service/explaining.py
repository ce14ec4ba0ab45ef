"""Written analyses on demand: asked for through the API, written by a worker in a lane of its own.

Invariant: asking never waits for a guard, and writing never holds up judging; an analysis that is there for the same
text and guard is not asked for again.
"""

from __future__ import annotations

import asyncio

import msgspec

from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.base.errors import GuardUnavailable, UsageError
from agentdog.diagnosis import Analysis, Diagnosis, StepVerdict
from agentdog.diagnosis.analysis import write
from agentdog.guards import Guard, Outcome
from agentdog.guards.protocol import Written
from agentdog.service.figures import Figures
from agentdog.service.purse import StorePurse
from agentdog.service.settings import Settings
from agentdog.store.contract import Assignment, Store, Stored, Work
from agentdog.trajectory import Header, prefix_keys

#: When a budget that is spent is looked at again.
_AGAIN_NS = 30_000_000_000


async def ask(
    store: Store, stored: Stored, step: int | None, *, again: bool = False, clock: Clock | None = None
) -> Analysis:
    """Asks for the analysis of one judged step; returns it as it stands.

    Args:
        store: keeps it.
        stored: the run.
        step: index of the step; without it the first open incident's onset, else the likeliest unsafe step.
        again: have it written anew.
        clock: of `asked_at`.

    Raises:
        UsageError: the step was not judged.
    """
    diagnosis, summary = stored.diagnosis, stored.summary
    judged = _judged(diagnosis, step)
    if diagnosis is None or judged is None:
        which = "the run" if step is None else f"step {step + 1} of the run"
        raise UsageError(f"{which} has no verdict yet: there is nothing to explain")
    key = judged.key or prefix_keys(stored.trajectory)[judged.index]
    for known in await store.analyses(summary.project, summary.id):
        same = known.step_id == judged.step_id and (known.key, known.guard) == (key, diagnosis.guard.fingerprint)
        if same and (known.state == "pending" or (known.state == "written" and not again)):
            return known
    asked = Analysis(
        project=summary.project,
        trajectory_id=summary.id,
        step_id=judged.step_id,
        index=judged.index,
        key=key,
        guard=diagnosis.guard.fingerprint,
        name=diagnosis.guard.name,
        asked_at=rfc3339((clock or SystemClock()).now_ns()),
    )
    await store.save_analysis(asked)
    return asked


def _judged(diagnosis: Diagnosis | None, step: int | None) -> StepVerdict | None:
    evaluated = [s for s in diagnosis.steps if s.verdict.outcome is not Outcome.NOT_EVALUATED] if diagnosis else []
    if step is None and diagnosis is not None:
        step = next((i.onset for i in diagnosis.incidents if i.state == "open"), None)
        if step is None:
            return max(evaluated, key=lambda s: s.verdict.p_unsafe or 0.0, default=None)
    return next((each for each in evaluated if each.index == step), None)


class Explaining:
    """Works on the lane ``explain``: has pending analyses of one run written.

    Args:
        store: of runs and analyses.
        guard: who writes.
        settings: budgets.
        figures: where tokens are counted.
        clock: of times.
    """

    def __init__(
        self,
        store: Store,
        guard: Guard,
        settings: Settings,
        *,
        figures: Figures | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._figures = figures or Figures(store)
        self._store = store
        self._guard = guard
        self._settings = settings
        self._clock = clock or SystemClock()

    async def __call__(self, work: Work) -> None:
        """Writes what is pending, one after the other; what a budget holds back is looked at again later."""
        pending = [a for a in await self._store.analyses(work.project, work.unit) if a.state == "pending"]
        assignment = await self._store.assignment(work.project, work.unit) if pending else None
        purse = StorePurse(self._store, work.project, self._settings.judge, self._clock)
        for analysis in pending:
            if await purse.refusal() is not None:
                due_ns = self._clock.now_ns() + _AGAIN_NS
                await self._store.revisit(work.project, work.unit, due_ns, lane="explain")
                return
            written = await self._written(analysis, assignment)
            await self._store.save_analysis(written)
            spent = {"prompt": written.prompt_tokens, "cached": written.cached_tokens}
            for kind, number in (*spent.items(), ("completion", written.completion_tokens)):
                self._figures.count("tokens", work.project, kind, by=number or 0)
            self._figures.count("analyses", work.project, written.state)
            await purse.pay_tokens(written.prompt_tokens, written.cached_tokens, written.completion_tokens)
            await self._store.leftovers(work.project, work.unit)

    async def _written(self, analysis: Analysis, assignment: Assignment | None) -> Analysis:
        began = asyncio.get_running_loop().time()
        try:
            words = await self._write(analysis, assignment)
        except GuardUnavailable as error:
            return msgspec.structs.replace(analysis, state="failed", error=str(error), written_at=self._now())
        return msgspec.structs.replace(
            analysis,
            state="written",
            written_at=self._now(),
            latency_ms=round((asyncio.get_running_loop().time() - began) * 1000, 3),
            **words._asdict(),
        )

    async def _write(self, analysis: Analysis, assignment: Assignment | None) -> Written:
        if assignment is None:
            raise GuardUnavailable("the run is gone, or another took it in: ask for it there")
        if analysis.guard != self._guard.info.fingerprint:
            raise GuardUnavailable(f"the verdict is of guard {analysis.name}, which is not in use any more")
        trajectory = assignment.trajectory
        at = next((step.index for step in trajectory.steps if step.id == analysis.step_id), None)
        if at is None or prefix_keys(trajectory)[at] != analysis.key:
            raise GuardUnavailable("the run reads otherwise by now: ask again once it is judged")
        known = await self._store.verdicts(analysis.project, analysis.guard, [analysis.key])
        if analysis.key not in known:
            raise GuardUnavailable("the verdict is remembered no more (see the setting verdict_ttl_s)")
        return await write(self._guard, Header.of(trajectory), trajectory.steps[: at + 1], known[analysis.key])

    def _now(self) -> str:
        return rfc3339(self._clock.now_ns())
