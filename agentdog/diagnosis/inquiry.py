"""Puts prefixes of one trajectory before a guard: several at once where a session can be copied, else one by one.

Invariant: `known` holds every verdict that was given, and the cache every lasting one, before anybody is told of it;
requests that are under way when an inquiry ends early are cancelled, so that a server stops working on them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence

from agentdog.diagnosis.cache import lasting
from agentdog.diagnosis.incidents import is_red
from agentdog.diagnosis.model import Diagnosis
from agentdog.diagnosis.terms import AT_ONCE, Terms
from agentdog.guards import Guard, Outcome, Reason, Verdict
from agentdog.guards.protocol import Forks, GuardSession, LabelsApart
from agentdog.trajectory import Header, Trajectory

#: Reasons that hold for every prefix alike: the rest of the trajectory is not asked only to hear them again.
_GENERAL = frozenset({Reason.GUARD_UNREACHABLE, Reason.GUARD_REFUSED})
#: Reasons for which the rest is put off: whoever just waited for nothing would wait as long for every other prefix.
_PUT_OFF = frozenset({Reason.TIMED_OUT})
_NO_LABELS = "labels:"


class Inquiry:
    """Asks on behalf of one look at a trajectory.

    Attributes:
        given: indices whose verdicts were given in this look.
        asked: how often the guard was asked.
    """

    def __init__(
        self,
        trajectory: Trajectory,
        guard: Guard,
        terms: Terms,
        keys: Sequence[str],
        known: MutableMapping[str, Verdict],
        so_far: Callable[[], Diagnosis],
    ) -> None:
        self._trajectory = trajectory
        self._guard = guard
        self._terms = terms
        self._keys = keys
        self._known = known
        self._so_far = so_far
        self._general: Verdict | None = None
        self._put_off = False
        self.given: set[int] = set()
        self.asked = 0

    async def ask(self, indices: Sequence[int], *, more: bool = False) -> list[int]:
        """Asks for prefixes in this order; returns those that are left to later.

        Args:
            indices: of the steps that end them.
            more: whether others follow in this look, so that the last answer is worth telling of.
        """
        if self._put_off:
            return list(indices)
        mine = await self._take(indices)
        left = [index for index in indices if index not in mine and self._keys[index] not in self._known]
        sessions = _Sessions(self._trajectory, self._guard, mine)
        waiting = deque(mine if sessions.at_once > 1 else sorted(mine))
        running: dict[asyncio.Task[Verdict], int] = {}
        try:
            while waiting or running:
                while waiting and not self._put_off and len(running) < sessions.at_once:
                    index = waiting.popleft()
                    unasked = self._general or await self._over_budget()
                    if unasked is not None:
                        await self._take_in(index, unasked, more=more or bool(waiting))
                        continue
                    self.asked += 1
                    running[asyncio.create_task(self._one(sessions.at(index), self._keys[index]))] = index
                if self._put_off:
                    left += waiting
                    await self._release(waiting)
                    waiting.clear()
                if not running:
                    continue
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    index = running.pop(task)
                    await self._answered(index, task.result(), more=more or bool(waiting or running))
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await self._release((*waiting, *running.values()))
        return left

    async def settle(self, index: int, verdict: Verdict) -> None:
        """Takes in a verdict that was given."""
        await self._keep(index, verdict)
        self.given.add(index)
        self._terms.given(index, verdict)

    async def _keep(self, index: int, verdict: Verdict) -> None:
        if lasting(verdict):
            await self._terms.cache.put(self._guard.info.fingerprint, self._keys[index], verdict)
        self._known[self._keys[index]] = verdict

    async def label(self, index: int) -> None:
        """Has one known verdict labelled, where the guard can be asked for labels alone."""
        session = _Sessions(self._trajectory, self._guard, [index]).at(index)
        if isinstance(session, LabelsApart) and await self._over_budget() is None:
            self.asked += 1
            before = self._known[self._keys[index]]
            verdict = await session.label(before)
            await self._terms.purse.pay(_difference(before, verdict))
            await self._keep(index, verdict)

    async def _one(self, session: GuardSession, key: str) -> Verdict:
        if not isinstance(session, LabelsApart):
            return await session.verdict()
        verdict = await session.verdict_only()
        policy = self._terms.policy
        wanted = policy.labels == "unsafe_steps" and is_red(verdict, policy.alert_at)
        wanted |= policy.labels == "every_step" and verdict.outcome is not Outcome.NOT_EVALUATED
        return await session.label(verdict) if wanted and policy.in_share(key) else verdict

    async def _answered(self, index: int, verdict: Verdict, *, more: bool) -> None:
        await self._terms.purse.pay(verdict)
        hangs, patient = verdict.reason in _PUT_OFF and self._guard.info.served, self._terms.patient
        if verdict.reason in _GENERAL or (hangs and not patient):
            self._general = verdict
        self._put_off |= hangs and patient
        await self._take_in(index, verdict, more=more)

    async def _take_in(self, index: int, verdict: Verdict, *, more: bool) -> None:
        await self.settle(index, verdict)
        if not lasting(verdict):
            await self._release([index])
        if more and self._terms.due(verdict):
            await self._terms.progress(self._so_far())

    async def _take(self, indices: Sequence[int]) -> list[int]:
        """Returns those that are ours to ask for; what others found out meanwhile is taken in."""
        if not self._guard.info.served or not indices:
            return list(indices)
        guard, keys = self._guard.info.fingerprint, [self._keys[index] for index in indices]
        granted = set(await self._terms.leases.take(guard, keys))
        found: Mapping[str, Verdict] = await self._terms.cache.get(guard, keys)
        self._known.update(found)
        await self._terms.leases.give_back(guard, [key for key in granted if key in found])
        return [index for index in indices if self._keys[index] in granted and self._keys[index] not in found]

    async def _release(self, indices: Iterable[int]) -> None:
        if self._guard.info.served:
            keys = [self._keys[index] for index in indices]
            await self._terms.leases.give_back(self._guard.info.fingerprint, keys)

    async def _over_budget(self) -> Verdict | None:
        detail = await self._terms.purse.refusal()
        if detail is None:
            return None
        guard = self._guard.info.fingerprint
        return Verdict(outcome=Outcome.NOT_EVALUATED, guard=guard, reason=Reason.OVER_BUDGET, detail=detail)


class _Sessions:
    """Sessions at given prefixes: copies of one where that is cheap, else one that grows, asked one at a time."""

    def __init__(self, trajectory: Trajectory, guard: Guard, indices: Sequence[int]) -> None:
        self._steps = trajectory.steps
        self._session = guard.open(Header.of(trajectory))
        self._fed = 0
        self._forks: dict[int, GuardSession] = {}
        self.at_once = 1
        if guard.info.served and isinstance(self._session, Forks):
            self.at_once = AT_ONCE
            for index in sorted(indices):
                self._feed(index)
                self._forks[index] = self._session.fork()

    def at(self, index: int) -> GuardSession:
        """Returns the session at a prefix; without copies, indices must ascend."""
        if index in self._forks:
            return self._forks.pop(index)
        self._feed(index)
        return self._session

    def _feed(self, index: int) -> None:
        for step in self._steps[self._fed : index + 1]:
            self._session.extend(step)
        self._fed = index + 1


def labelled_apart(verdict: Verdict) -> bool:
    """Whether a verdict's labels were never asked for."""
    return verdict.labels is None and _NO_LABELS not in (verdict.detail or "")


def _difference(before: Verdict, after: Verdict) -> Verdict:
    """What labels alone cost, as a verdict."""

    def rest(name: str) -> int | None:
        then, now = getattr(before, name), getattr(after, name)
        return None if now is None else now - (then or 0)

    return Verdict(
        outcome=after.outcome,
        guard=after.guard,
        reason=after.reason,
        prompt_tokens=rest("prompt_tokens"),
        cached_tokens=rest("cached_tokens"),
        completion_tokens=rest("completion_tokens"),
        latency_ms=max(after.latency_ms - before.latency_ms, 0.0),
    )
