"""Why the guard said so: P(unsafe) with everything in place, less P(unsafe) with one step or one sentence left out.

Leave-one-out on the guard's own answers: exact where the guard is deterministic, as the embedded one is; a served
model's answers wander by about its margin (docs/guards.md). Invariant: every variant ends in the explained step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence

import msgspec

from agentdog.attribution.messages import content_of
from agentdog.attribution.result import Attribution, Cost, SentenceScore, StepScore, ranking
from agentdog.attribution.sentences import split
from agentdog.base.errors import GuardUnavailable, UsageError
from agentdog.guards import Guard, Verdict
from agentdog.guards.protocol import Forks, GuardSession, LabelsApart
from agentdog.trajectory import Header, Step, Trajectory

_AT_ONCE = 8
_ABREAST = 32  # sessions that are led through a trajectory side by side: each holds what its guard remembers
Variant = tuple[int, Step | None]
"""A step's index, and what stands there instead; ``None``: nothing."""
_TEXTS = ("reasoning", "thought", "content", "tool_result")
#: A change of P(unsafe) that people would call one.
CARRIES = 0.1
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
    without = dict(zip(tried, await asking.instead([(at, None) for at in tried]), strict=True))
    steps = [_scored(own, base, without.get(at)) for at, own in enumerate(trajectory.steps[:step])]
    lost = [at + 1 for at, verdict in without.items() if verdict.p_unsafe is None]
    order = ranking(steps)
    for at, cut in (await asking.sentences(order[:top_k], base)).items():
        steps[at] = msgspec.structs.replace(steps[at], sentences=cut)
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
        notes=(
            _NOTE,
            *_uncarried(steps),
            *_untried(step - len(tried)),
            *_untold(lost),
            *((guard.info.note,) if guard.info.note else ()),
        ),
    )


def _scored(own: Step, base: float, verdict: Verdict | None) -> StepScore:
    if verdict is None or verdict.p_unsafe is None:
        return StepScore(step=own.index, role=own.role, score=0.0, candidate=False)
    return StepScore(step=own.index, role=own.role, score=base - verdict.p_unsafe)


def _uncarried(steps: Sequence[StepScore]) -> tuple[str, ...]:
    """Says so where no step alone carries the verdict: shares of next to nothing would look like findings."""
    tried = [step.score for step in steps if step.candidate]
    if not tried or max(tried) >= CARRIES:
        return ()
    most = max(0.0, *tried)
    return (
        f"No step alone carries this verdict: without the strongest, P(unsafe) moves by {most:.3f} only. The explained "
        "step itself, or several texts together, are enough for it.",
    )


def _untried(count: int) -> tuple[str, ...]:
    return (f"{count} steps of this long run were not left out, and are not ranked.",) if count else ()


def _untold(lost: Sequence[int]) -> tuple[str, ...]:
    listed = ", ".join(map(str, lost))
    return (f"Without step {listed} the guard gives no verdict, so that it is not ranked.",) if lost else ()


class _Asking:
    """One trajectory in front of a guard, and variants of it in which one step is another, or is not there."""

    def __init__(self, guard: Guard, trajectory: Trajectory, step: int) -> None:
        self._guard, self._steps, self._end = guard, trajectory.steps, step
        self._header = Header.of(trajectory)
        self._free = asyncio.Semaphore(_AT_ONCE)
        self.computed = self.read = 0

    async def base(self) -> float:
        """P(unsafe) with everything in place; raises `GuardUnavailable` where the guard gives none."""
        [verdict] = await self.instead([(self._end, self._steps[self._end])])
        if verdict.p_unsafe is None:
            why = f"{verdict.reason}: {verdict.detail}" if verdict.reason else "it answers without one"
            raise GuardUnavailable(f"the guard {self._guard.info.name} gives no P(unsafe) there ({why})")
        return verdict.p_unsafe

    async def instead(self, variants: Sequence[Variant]) -> list[Verdict]:
        """Judges every variant; `variants` go from earlier to later steps."""
        found: list[Verdict] = []
        for first in range(0, len(variants), _ABREAST):
            abreast = self._abreast(variants[first : first + _ABREAST])
            found += await asyncio.gather(*map(self._judged, abreast))
        return found

    def _abreast(self, variants: Sequence[Variant]) -> list[GuardSession]:
        """Leads one session a variant through the trajectory, all of them a step at a time.

        What a guard reads out of a text without looking at anything else, it then finds among what it read last.
        """
        made: list[GuardSession] = []
        along, waiting = self._guard.open(self._header), list(variants)
        for at, own in enumerate(self._steps[: self._end + 1]):
            for session in made:
                session.extend(own)
            while waiting and waiting[0][0] == at:
                _, put = waiting.pop(0)
                made.append(self._copy(along, at))
                if put is not None:
                    made[-1].extend(put)
            if waiting:
                along.extend(own)
        return made

    def _copy(self, session: GuardSession, at: int) -> GuardSession:
        if isinstance(session, Forks):
            return session.fork()
        copied = self._guard.open(self._header)
        for own in self._steps[:at]:
            copied.extend(own)
        return copied

    async def _judged(self, session: GuardSession) -> Verdict:
        async with self._free:
            asked = session.verdict_only() if isinstance(session, LabelsApart) else session.verdict()
            verdict: Verdict = await asked
        self.read += verdict.prompt_tokens or 0
        self.computed += (verdict.prompt_tokens or 0) - (verdict.cached_tokens or 0)
        return verdict

    async def sentences(self, places: Sequence[int], base: float) -> dict[int, tuple[SentenceScore, ...]]:
        """Leaves out each sentence of some steps."""
        pieces = [(at, *cut) for at in sorted(places) for cut in _without_one(self._steps[at])]
        found = await self.instead([(at, variant) for at, _, variant in pieces])
        scores: dict[int, list[SentenceScore]] = {at: [] for at in places}
        for (at, piece, _), verdict in zip(pieces, found, strict=True):
            if verdict.p_unsafe is not None:
                gap = base - verdict.p_unsafe
                scores[at].append(SentenceScore(text=piece, drop=gap, score=gap))
        return {at: tuple(of_step) for at, of_step in scores.items()}


def _without_one(own: Step) -> Iterator[tuple[str, Step]]:
    """Yields every sentence of a step with the step that lacks it."""
    for field in _TEXTS:
        pieces = split(getattr(own, field) or "")
        for index, piece in enumerate(pieces):
            rest = "".join(pieces[:index] + pieces[index + 1 :])
            yield piece, msgspec.structs.replace(own, **{field: rest or None})
