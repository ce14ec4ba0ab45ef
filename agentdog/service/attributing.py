"""Attribution on demand: asked for through the API, computed by a worker in the lane of what is asked for, kept.

Invariants: asking never waits for a guard or a model; an answer that is there for the same text, the same guard or
model and the same way is not computed again; a model is loaded at the first question and answers one at a time.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from agentdog.attribution import Asked, Attribution, Target, Way, key_of, verdicts
from agentdog.attribution.messages import messages_of, place_of
from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.base.errors import AgentDogError, OutsideError, StoreUnavailable, UsageError
from agentdog.diagnosis import Diagnosis
from agentdog.guards import Guard
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.learned import LearnedGuard
from agentdog.service.figures import Figures
from agentdog.service.learning import Learning
from agentdog.service.purse import StorePurse
from agentdog.service.settings import AttributionSettings, Settings
from agentdog.store.contract import Assignment, Store, Stored, Work
from agentdog.trajectory import Trajectory, prefix_keys

if TYPE_CHECKING:
    from agentdog.attribution.run import Explainer

#: When a budget that is spent is looked at again.
_AGAIN_NS = 30_000_000_000
#: Steps left out unless the settings say how many: those of the embedded guard take ten seconds of a slow core, those
#: of another guard a prompt of the whole run each.
_STEPS, _STEPS_ASKED = 200, 60
NO_MODEL = (
    "set AGENTDOG_ATTRIBUTION__MODEL to what stands in for the agent, a chat model's folder (with pip install "
    "'agentdog-sidecar[local]') or a vLLM server (server:http://HOST/v1?model=NAME), and start again"
)


async def ask(  # noqa: PLR0913 - what was asked, by keyword only
    store: Store,
    guard: Guard,
    settings: AttributionSettings,
    stored: Stored,
    *,
    target: Target,
    step: int | None = None,
    way: Way | None = None,
    again: bool = False,
    clock: Clock | None = None,
) -> Asked:
    """Asks why one step of a run came about; returns the answer as it stands.

    Args:
        store: keeps it.
        guard: the one in use; a project's learned one stands for it.
        settings: which model stands in for the agent, and the usual way.
        stored: the run.
        target: the agent's action, or the guard's verdict.
        step: index of the step; without it the first open incident's onset, else the agent's last step.
        way: how; without it as the settings say.
        again: have it computed anew.
        clock: of `asked_at`.

    Raises:
        UsageError: no such step, nothing before it, or no model for an action; with the remedy.
    """
    run = stored.trajectory
    index = _explained(run, stored.diagnosis, step, target)
    if target == "action" and settings.model is None:
        raise UsageError(f"target: no model explains actions here: {NO_MODEL}")
    way = way or usual(settings)
    who, name = await _who(store, guard, settings, run.project, target)
    key = key_of(prefix_keys(run)[index], target, who, way)
    step_id = run.steps[index].id
    for known in await store.attributions(run.project, run.id):
        same = (known.step_id, known.target, known.key) == (step_id, target, key)
        if same and (known.state == "pending" or (known.state == "done" and not again)):
            return known
    asked = Asked(
        project=run.project,
        trajectory_id=run.id,
        step_id=step_id,
        index=index,
        target=target,
        key=key,
        name=name,
        way=way,
        asked_at=rfc3339((clock or SystemClock()).now_ns()),
    )
    await store.save_attribution(asked)
    return asked


def usual(settings: AttributionSettings) -> Way:
    """Returns the way that the settings say."""
    return Way(mode=settings.mode, top_k=settings.top_k)


def _explained(run: Trajectory, diagnosis: Diagnosis | None, step: int | None, target: Target) -> int:
    if step is None and diagnosis is not None:
        step = next((i.onset for i in diagnosis.incidents if i.state == "open" and i.onset > 0), None)
    if step is None:
        step = next((own.index for own in reversed(run.steps) if own.role == "agent" and own.index > 0), None)
    if step is None:
        raise UsageError("step: no step of an agent with anything before it; name the step")
    if not 0 < step < len(run.steps):
        count = len(run.steps)
        raise UsageError(f"step: {step + 1} has nothing before it that could explain it; the run has {count}, from 1")
    if target == "action" and run.steps[step].role != "agent":
        raise UsageError(f"step: {step + 1} is no step of the agent; name one, or ask what moved the verdict")
    return step


async def _who(
    store: Store, guard: Guard, settings: AttributionSettings, project: str, target: Target
) -> tuple[str, str]:
    """Returns who is asked: what the answer depends on, and a name for people."""
    if target == "action":
        model = settings.model or ""
        return model, model.rpartition("model=")[2] or model.rstrip("/").rpartition("/")[2]
    info = (await Learning(store, guard).guard_for(project)).info
    return info.fingerprint, info.name


class Attributing:
    """Works on the lane ``explain``: computes the pending attributions of one run.

    Args:
        store: of runs and answers.
        guard: of verdicts.
        settings: which model stands in for the agent; budgets.
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
        self._store = store
        self._guard = guard
        self._learning = Learning(store, guard)
        self._settings = settings
        self._figures = figures or Figures(store)
        self._clock = clock or SystemClock()
        self._model = _Model(settings.attribution)

    async def __call__(self, work: Work) -> None:
        """Computes what is pending, one after the other; what a budget holds back is looked at again later."""
        pending = [a for a in await self._store.attributions(work.project, work.unit) if a.state == "pending"]
        assignment = await self._store.assignment(work.project, work.unit) if pending else None
        purse = StorePurse(self._store, work.project, self._settings.judge, self._clock)
        for asked in pending:
            if asked.target == "verdict" and await purse.refusal() is not None:
                due_ns = self._clock.now_ns() + _AGAIN_NS
                await self._store.revisit(work.project, work.unit, due_ns, lane="explain")
                return
            answered = await self._answered(asked, assignment)
            await self._store.save_attribution(answered)
            self._figures.count("attributions", work.project, answered.target, answered.state)
            if answered.target == "verdict" and answered.result is not None:
                cost = answered.result.cost
                self._figures.count("tokens", work.project, "prompt", by=cost.plain)
                self._figures.count("tokens", work.project, "cached", by=cost.plain - cost.computed)
                await purse.pay_tokens(cost.plain, cost.plain - cost.computed, None)
            await self._store.leftovers(work.project, work.unit)

    async def _answered(self, asked: Asked, assignment: Assignment | None) -> Asked:
        try:
            found = await self._found(asked, assignment)
        except StoreUnavailable:
            raise
        except AgentDogError as error:
            return msgspec.structs.replace(asked, state="failed", error=str(error), done_at=self._now())
        return msgspec.structs.replace(asked, state="done", result=found, done_at=self._now())

    async def _found(self, asked: Asked, assignment: Assignment | None) -> Attribution:
        if assignment is None:
            raise OutsideError("the run is gone, or another took it in: ask for it there")
        run, settings = assignment.trajectory, self._settings.attribution
        at = next((step.index for step in run.steps if step.id == asked.step_id), None)
        who, _ = await _who(self._store, self._guard, settings, asked.project, asked.target)
        if at is None or key_of(prefix_keys(run)[at], asked.target, who, asked.way) != asked.key:
            raise OutsideError("the run reads otherwise by now, or another guard or model is in use: ask again")
        if asked.target == "action":
            return await self._model.explain(run, at, asked.way)
        guard = await self._learning.guard_for(asked.project)
        embedded = isinstance(guard, EmbeddedGuard | LearnedGuard)
        limit = settings.max_steps or (_STEPS if embedded else _STEPS_ASKED)
        among = _among(run, at, assignment.diagnosis, limit)
        began = time.perf_counter()
        if embedded:
            # It answers without waiting for anything: in a thread of its own, so that claims are kept alive meanwhile.
            asking = verdicts.explain(guard, run, at, top_k=asked.way.top_k, among=among)
            found = await asyncio.to_thread(asyncio.run, asking)
        else:
            found = await verdicts.explain(guard, run, at, top_k=asked.way.top_k, among=among)
        cost = msgspec.structs.replace(found.cost, seconds=round(time.perf_counter() - began, 3))
        return msgspec.structs.replace(found, cost=cost)

    def _now(self) -> str:
        return rfc3339(self._clock.now_ns())


def _among(run: Trajectory, step: int, diagnosis: Diagnosis | None, limit: int) -> set[int]:
    """Returns the steps that are left out to explain a verdict: what its evidence names, the first, and the last."""
    if step <= limit:
        return set(range(step))
    verdict = next((s.verdict for s in diagnosis.steps if s.index == step), None) if diagnosis else None
    named = {at for e in verdict.evidence for at in (e.step, e.source_step) if at is not None} if verdict else set()
    wanted = [0, *sorted(at for at in named if 0 <= at < step), *range(step - 1, -1, -1)]
    return set(list(dict.fromkeys(wanted))[:limit])


class _Model:
    """The model that stands in for the agent, loaded when it is first asked."""

    def __init__(self, settings: AttributionSettings) -> None:
        self._settings = settings
        self._loaded: Explainer | None = None
        self._free = asyncio.Lock()

    async def explain(self, run: Trajectory, step: int, way: Way) -> Attribution:
        """Attributes an action; raises what loading and explaining do."""
        if self._settings.model is None:
            raise OutsideError(NO_MODEL)
        async with self._free:
            return await asyncio.to_thread(self._explained, run, step, way)

    def _explained(self, run: Trajectory, step: int, way: Way) -> Attribution:
        from agentdog.attribution.run import Explainer  # torch only where an action is explained

        if self._loaded is None:
            self._loaded = Explainer(self._settings.model or "", device=self._settings.device)
        messages = messages_of(run)
        asked = {"mode": way.mode, "top_k": way.top_k, "attention": way.attention}
        return self._loaded.explain(messages, place_of(messages, step), **asked)  # type: ignore[arg-type]
