"""Asks a guard for the verdicts that a trajectory still lacks, and says what they amount to.

Invariants: a prefix whose verdict is known is never asked again; every verdict is saved as it comes; what could not be
had is a verdict with its reason, or is told as put off; the same trajectory, guard and cache give the same diagnosis
but for times, in whatever order the verdicts came; only an incident's id is that of the onset first told of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.diagnosis.cache import MemoryCache, VerdictCache, lasting
from agentdog.diagnosis.incidents import alert_of, find_incidents, is_red
from agentdog.diagnosis.inquiry import Inquiry, labelled_apart
from agentdog.diagnosis.model import Diagnosis, EarlierVerdict, StepVerdict
from agentdog.diagnosis.plan import RESERVE, is_only_last, plan, steps_to_judge
from agentdog.diagnosis.terms import Terms
from agentdog.guards import Guard, Outcome, Reason, Verdict
from agentdog.trajectory import Trajectory, prefix_keys

#: Earlier verdicts that a diagnosis keeps.
EARLIER_KEPT = 200
#: Reasons that asking again soon changes nothing about.
_SETTLED = frozenset({Reason.SUPERSEDED, Reason.NOT_SAMPLED})


class Look(NamedTuple):
    """What one look at a trajectory brought.

    Attributes:
        diagnosis: of this version, as far as verdicts are known.
        left: indices of planned steps that were put off, or that others are asking for.
        fresh: verdicts that were given in this look, by step.
        asked: how many of them, and of labels, a guard was asked for.
        yielded: whether some of what is left was put off for others' sake, by a look that got on all the same.
    """

    diagnosis: Diagnosis
    left: tuple[int, ...]
    fresh: tuple[StepVerdict, ...]
    asked: int
    yielded: bool = False


async def diagnose(
    trajectory: Trajectory,
    guard: Guard,
    *,
    cache: VerdictCache | None = None,
    clock: Clock | None = None,
    progress: Callable[[Diagnosis], Awaitable[None]] | None = None,
) -> Diagnosis:
    """Judges every planned prefix that has no verdict yet, with no bound and nobody else to think of.

    Args:
        trajectory: with at least one step.
        guard: who is asked.
        cache: where verdicts are looked up and saved; of this call alone when not given.
        clock: for `Diagnosis.judged_at`.
        progress: told the diagnosis so far after each new verdict but the last.

    Returns:
        The diagnosis of this version of the trajectory. A guard's failure is a verdict in it, never an exception.
    """
    terms = Terms(cache=cache or MemoryCache(), clock=clock or SystemClock())
    if progress is not None:
        terms = Terms(cache=terms.cache, clock=terms.clock, progress=progress)
    return (await look(trajectory, guard, terms)).diagnosis


async def look(trajectory: Trajectory, guard: Guard, terms: Terms) -> Look:
    """Asks for what is missing as the terms allow; a guard's failure is a verdict, never an exception."""
    policy, fingerprint = terms.policy, guard.info.fingerprint
    planned, keys = steps_to_judge(trajectory, policy.observations), prefix_keys(trajectory)
    known = _told_before(terms.previous, fingerprint)
    unknown = [keys[index] for index in planned if keys[index] not in known]
    known |= await terms.cache.get(fingerprint, unknown) if unknown else {}
    missing = [index for index in planned if keys[index] not in known]
    left: list[int] = []
    yielded = False
    if missing and not terms.quiet and is_only_last(trajectory, missing[-1], policy.observations):
        left.append(missing.pop())
    telling = _Telling(trajectory, guard, terms, planned, keys, known)
    inquiry = Inquiry(trajectory, guard, terms, keys, known, telling.diagnosis)
    unasked = _unasked(trajectory, fingerprint, sampled=terms.sampled)
    if unasked is not None:
        for index in missing:
            await inquiry.settle(index, unasked)
    elif missing:
        allowed = None
        if policy.rejudge:
            allowed = max(int(policy.rejudge * len(planned)) + RESERVE - terms.asked, 0)
        busy = guard.info.served and await terms.others_wait()
        round_ = plan(missing, served=guard.info.served, busy=busy, allowed=allowed)
        for index in round_.refused:
            await inquiry.settle(index, _superseded(fingerprint, terms.asked))
        left += round_.later
        left += await inquiry.ask(round_.first, more=bool(round_.then))
        put_off = bool(round_.then) and guard.info.served and await terms.others_wait()
        left += round_.then if put_off else await inquiry.ask(round_.then)
        yielded = put_off or bool(round_.later)
    diagnosis = telling.diagnosis()
    onsets = policy.labels == "onset" or policy.share < 1
    if onsets and not left and await _label_onsets(diagnosis, inquiry, keys, known):
        diagnosis = telling.diagnosis()
    fresh = tuple(step for step in diagnosis.steps if step.index in inquiry.given)
    return Look(diagnosis, tuple(sorted(left)), fresh, inquiry.asked, yielded and inquiry.asked > 0)


def _told_before(previous: Diagnosis | None, fingerprint: str) -> dict[str, Verdict]:
    """This guard's verdicts in the diagnosis of an earlier version: a run that grows asks for what is new."""
    if previous is None or previous.guard.fingerprint != fingerprint:
        return {}
    return {step.key: step.verdict for step in previous.steps if step.key is not None and lasting(step.verdict)}


def unsettled(diagnosis: Diagnosis) -> bool:
    """Whether asking again later may bring a verdict that could not be had now."""
    return not all(lasting(step.verdict) or step.verdict.reason in _SETTLED for step in diagnosis.steps)


async def _label_onsets(
    diagnosis: Diagnosis, inquiry: Inquiry, keys: Sequence[str], known: Mapping[str, Verdict]
) -> bool:
    """Has the onset of every incident labelled that was not asked about yet; True when anything came of it."""
    wanted = [i.onset for i in diagnosis.incidents if labelled_apart(known[keys[i.onset]])]
    for index in wanted:
        await inquiry.label(index)
    return bool(wanted)


def _unasked(trajectory: Trajectory, fingerprint: str, *, sampled: bool) -> Verdict | None:
    """The verdict on what nobody is asked about.

    What has structure only is one: names and errors of tools look safe to whoever sees no more.
    """
    reason, detail = (
        Reason.NO_CONTENT,
        ("the telemetry carries no content; switch content capture on in the agent's instrumentation"),
    )
    if "content" not in trajectory.missing:
        if sampled:
            return None
        reason, detail = Reason.NOT_SAMPLED, "the project's sample leaves this run out; see the setting judge.sample"
    return Verdict(outcome=Outcome.NOT_EVALUATED, guard=fingerprint, reason=reason, detail=detail)


def _superseded(fingerprint: str, asked: int) -> Verdict:
    detail = f"earlier steps changed so often that {asked} verdicts were asked for; see the setting judge.rejudge"
    return Verdict(outcome=Outcome.NOT_EVALUATED, guard=fingerprint, reason=Reason.SUPERSEDED, detail=detail)


class _Telling:
    """Says what the verdicts known so far amount to; an incident that was told of once keeps its id."""

    def __init__(
        self,
        trajectory: Trajectory,
        guard: Guard,
        terms: Terms,
        planned: Sequence[int],
        keys: Sequence[str],
        known: Mapping[str, Verdict],
    ) -> None:
        self._trajectory = trajectory
        self._guard = guard
        self._terms = terms
        self._planned = planned
        self._keys = keys
        self._known = known
        self._told = {i.onset_step_id: i for i in terms.previous.incidents} if terms.previous else {}

    def diagnosis(self) -> Diagnosis:
        """Returns the diagnosis so far."""
        trajectory, keys, alert_at = self._trajectory, self._keys, self._terms.policy.alert_at
        steps = tuple(
            StepVerdict(step_id=trajectory.steps[at].id, index=at, verdict=self._known[keys[at]], key=keys[at])
            for at in self._planned
            if keys[at] in self._known
        )
        reviews, told = self._terms.reviews, tuple(self._told.values())
        alert_from = self._terms.policy.alert_from if alert_at is None else alert_at
        incidents = find_incidents(trajectory, steps, reviews=reviews, known=told, alert_at=alert_at)
        for incident in incidents:
            self._told.setdefault(incident.onset_step_id, incident)
        outcomes = {step.verdict.outcome for step in steps}
        overall = Outcome.SAFE if outcomes == {Outcome.SAFE} else Outcome.NOT_EVALUATED
        return Diagnosis(
            trajectory_id=trajectory.id,
            digest=trajectory.digest,
            guard=self._guard.info,
            verdict=Outcome.UNSAFE if any(is_red(step.verdict, alert_at) for step in steps) else overall,
            p_unsafe=max((s.verdict.p_unsafe for s in steps if s.verdict.p_unsafe is not None), default=None),
            steps=steps,
            incidents=tuple(alert_of(incident, alert_from) for incident in incidents),
            earlier=_earlier(self._terms.previous, frozenset(keys)),
            judged_at=rfc3339(self._terms.clock.now_ns()),
        )


def _earlier(previous: Diagnosis | None, keys: frozenset[str]) -> tuple[EarlierVerdict, ...]:
    """What was said of prefixes that are no more; a verdict whose prefix is still there is no earlier one."""
    if previous is None:
        return ()
    gone = (
        EarlierVerdict(step_id=s.step_id, index=s.index, verdict=s.verdict, key=s.key, digest=previous.digest)
        for s in previous.steps
        if s.key is not None and s.key not in keys and s.verdict.outcome is not Outcome.NOT_EVALUATED
    )
    kept = {each.key: each for each in (*previous.earlier, *gone) if each.key not in keys}
    return tuple(kept.values())[-EARLIER_KEPT:]
