"""Why the guard said so: P(unsafe) with everything in place, less P(unsafe) with one step or one sentence left out.

Leave-one-out on the guard's own answers: exact where the guard is deterministic, as the embedded one is; a served
model's answers wander by about its margin (docs/guards.md). Invariant: every variant ends in the explained step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from agentdog.attribution.messages import content_of
from agentdog.attribution.result import Attribution, Cost, SentenceScore, StepScore, ranking
from agentdog.attribution.sentences import split
from agentdog.base.errors import GuardUnavailable, UsageError
from agentdog.guards import Guard, Verdict
from agentdog.guards.protocol import Forks, GuardSession, LabelsApart
from agentdog.trajectory import Header, Step, Trajectory

_AT_ONCE = 8
_TEXTS = ("reasoning", "thought", "content", "tool_result")
_NOTE = "Leave-one-out explains this guard's probability, not what the agent was moved by."


async def explain(
    guard: Guard, trajectory: Trajectory, step: int, *, top_k: int = 3, among: Collection[int] | None = None
) -> Attribution:
    """Attributes the verdict on the prefix that ends in a step to the steps before it.

    Args:
        guard: must answer with probabilities.
        trajectory: the whole run.
        step: index of the judged step; from 1 on.
        top_k: leading steps whose sentences are left out one by one too.
        among: indices of the steps that are left out; without it every step before the judged one.

    Raises:
        UsageError: there is no such step, or nothing before it.
        GuardUnavailable: the guard gave no probability; the message has its reason.
    """
    if not 0 < step < len(trajectory.steps):
        raise UsageError(f"no step {step + 1} with a step before it; this trajectory has {len(trajectory.steps)} steps")
    asking = _Asking(guard, trajectory, step)
    base = await asking.base()
    tried = [at for at in range(step) if among is None or at in among]
    without = dict(zip(tried, await asyncio.gather(*(asking.instead(at, ()) for at in tried)), strict=True))
    steps = [_scored(own, base, without.get(at)) for at, own in enumerate(trajectory.steps[:step])]
    lost = [at + 1 for at, verdict in without.items() if verdict.p_unsafe is None]
    order = ranking(steps)
    for at in order[:top_k]:
        steps[at] = msgspec.structs.replace(steps[at], sentences=await asking.sentences(at, base))
    return Attribution(
        target="verdict",
        mode="paper",
        step=step,
        explained=content_of(trajectory.steps[step]),
        model=guard.info.name,
        unit="change of P(unsafe)",
        steps=tuple(steps),
        ranking=order,
        baseline=base,
        cost=Cost(computed=asking.computed, plain=asking.read, seconds=0.0),
        notes=(_NOTE, *_untried(step - len(tried)), *_untold(lost), *((guard.info.note,) if guard.info.note else ())),
    )


def _scored(own: Step, base: float, verdict: Verdict | None) -> StepScore:
    if verdict is None or verdict.p_unsafe is None:
        return StepScore(step=own.index, role=own.role, score=0.0, candidate=False)
    return StepScore(step=own.index, role=own.role, score=base - verdict.p_unsafe)


def _untried(count: int) -> tuple[str, ...]:
    return (f"{count} steps of this long run were not left out, and are not ranked.",) if count else ()


def _untold(lost: Sequence[int]) -> tuple[str, ...]:
    listed = ", ".join(map(str, lost))
    return (f"Without step {listed} the guard gives no verdict, so that it is not ranked.",) if lost else ()


class _Asking:
    """One trajectory in front of a guard, with sessions kept at every step where the guard can copy them."""

    def __init__(self, guard: Guard, trajectory: Trajectory, step: int) -> None:
        self._guard, self._steps, self._end = guard, trajectory.steps, step
        self._header = Header.of(trajectory)
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._kept: list[Forks] = []
        self.computed = self.read = 0
        session = guard.open(self._header)
        if isinstance(session, Forks):
            for own in trajectory.steps[:step]:
                copied = session.fork()
                if isinstance(copied, Forks):
                    self._kept.append(copied)
                session.extend(own)

    async def base(self) -> float:
        """P(unsafe) with everything in place; raises `GuardUnavailable` where the guard gives none."""
        verdict = await self.instead(self._end, (self._steps[self._end],))
        if verdict.p_unsafe is None:
            why = f"{verdict.reason}: {verdict.detail}" if verdict.reason else "it answers without one"
            raise GuardUnavailable(f"the guard {self._guard.info.name} gives no P(unsafe) there ({why})")
        return verdict.p_unsafe

    async def instead(self, at: int, put: Sequence[Step]) -> Verdict:
        """Judges with other steps, or none, where one was."""
        session = self._before(at)
        for own in (*put, *self._steps[at + 1 : self._end + 1]):
            session.extend(own)
        async with self._free:
            asked = session.verdict_only() if isinstance(session, LabelsApart) else session.verdict()
            verdict: Verdict = await asked
        self.read += verdict.prompt_tokens or 0
        self.computed += (verdict.prompt_tokens or 0) - (verdict.cached_tokens or 0)
        return verdict

    async def sentences(self, at: int, base: float) -> tuple[SentenceScore, ...]:
        """Leaves out each sentence of a step."""
        own = self._steps[at]
        variants: list[tuple[str, Step]] = []
        for field in _TEXTS:
            pieces = split(getattr(own, field) or "")
            for index, piece in enumerate(pieces):
                rest = "".join(pieces[:index] + pieces[index + 1 :])
                variants.append((piece, msgspec.structs.replace(own, **{field: rest or None})))
        found = await asyncio.gather(*(self.instead(at, (variant,)) for _, variant in variants))
        return tuple(
            SentenceScore(text=piece, drop=base - verdict.p_unsafe, score=base - verdict.p_unsafe)
            for (piece, _), verdict in zip(variants, found, strict=True)
            if verdict.p_unsafe is not None
        )

    def _before(self, at: int) -> GuardSession:
        if at < len(self._kept):
            return self._kept[at].fork()
        session = self._guard.open(self._header)
        for own in self._steps[:at]:
            session.extend(own)
        return session
