"""Decides on a pending call: the policy first, then the guard, and in time what the caller said for when nobody can.

Invariants: an answer is given at the caller's deadline at the latest, whatever hangs; what could not be evaluated is
answered with `on_not_evaluated`, which the caller or a setting has named, and says why; nothing is ever allowed only
because something failed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import msgspec

from agentdog.base.errors import StoreUnavailable, UsageError
from agentdog.guards import Guard, GuardSession, Outcome, Reason, Verdict
from agentdog.guards.asker import asking
from agentdog.policy import Background, Decision, Policy, Rule, decide
from agentdog.provenance import EffectCatalogue, load_catalogue
from agentdog.service.auth import current
from agentdog.service.inline import prefix
from agentdog.service.inline.model import Action, Answer, Asked, By
from agentdog.service.inline.rules import PolicyFile
from agentdog.service.inline.sessions import Sessions
from agentdog.store.contract import Store
from agentdog.trajectory import Header, Step, Trajectory

_log = logging.getLogger(__name__)

T = TypeVar("T")
STORE_UNAVAILABLE = "store_unavailable"
#: Threads that read prefixes. A guard's own code that hangs in one takes it away, so they are ours alone.
_THREADS = 16
_WARM_UP_S = 10.0
_GUARDS = 16  # whose sessions are kept: the one in use, and those that projects have learned
_FIRST = Asked(action=Action(tool="warm_up"), deadline_ms=1.0)
#: Takes secrets out of everything that a caller sent; the same function that ingest uses on what arrives there.
Redact = Callable[[Any], Any]
GuardFor = Callable[[str], Awaitable[Guard]]


class _Known(NamedTuple):
    """What is known of the run: the prefix that ends in the call, its stored id, and why there is no more."""

    trajectory: Trajectory
    stored_id: str | None = None
    reason: str | None = None
    detail: str | None = None


class _Unknown(NamedTuple):
    """Nobody could say."""

    reason: str
    detail: str
    guard: str | None = None


class Checker:
    """Answers inline checks.

    Args:
        store: where runs are looked up by id.
        guard: who is asked when the policy is silent.
        policy: the rules.
        on_not_evaluated: for callers that name none; ``None``: they must.
        on_unsafe: the decision when the guard says unsafe.
        project: of callers that name none.
        redact: applied to what the caller sent before anything else sees it.
        effects: what tools do.
        guard_for: names the guard of a project, where it has one of its own; must be quick.
    """

    def __init__(  # noqa: PLR0913 - seams of a check, by keyword
        self,
        store: Store,
        guard: Guard,
        policy: PolicyFile,
        *,
        on_not_evaluated: Decision | None = None,
        on_unsafe: Decision = Decision.DENY,
        project: str = "default",
        redact: Redact = lambda value: value,
        effects: EffectCatalogue | None = None,
        guard_for: GuardFor | None = None,
    ) -> None:
        self._store = store
        self._guard = guard
        self._policy = policy
        self._default = on_not_evaluated
        self._on_unsafe = on_unsafe
        self._project = project
        self._redact = redact
        self._effects = effects or load_catalogue()
        self._guard_for = guard_for
        self._sessions: dict[str, Sessions[GuardSession]] = {guard.info.fingerprint: Sessions(guard.open)}
        self._backgrounds: tuple[tuple[str, ...], Sessions[Background]] | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "check")
        self._late: set[asyncio.Task[Answer | _Unknown]] = set()

    def policy(self) -> Policy:
        """Returns the rules in force."""
        return self._policy.current()

    async def warm_up(self) -> None:
        """Pays what only the first question costs (modules, TLS, connections) before anybody waits for an answer."""
        try:
            async with asyncio.timeout(_WARM_UP_S):
                await self._aside(self._of(self._guard).at_end, prefix.bare(_FIRST, self._project))
                health = await self._guard.health()
                _log.info("checks ask %s: %s", self._guard.info.name, health.detail)
        except TimeoutError:
            _log.warning("checks ask %s, which has not answered for %d s", self._guard.info.name, _WARM_UP_S)
        except Exception as error:  # a guard of the user's own may raise anything; each check says so again
            _log.warning("checks ask %s, which failed: %s", self._guard.info.name, error)

    async def check(self, asked: Asked, *, arrived: float | None = None) -> Answer:
        """Decides within the deadline.

        Args:
            asked: the body.
            arrived: `time.monotonic` at which the request arrived; now when not given.

        Raises:
            UsageError: nobody says what is to be done when nothing can be evaluated, or the body does not fit.
        """
        arrived = time.monotonic() if arrived is None else arrived
        fallback = asked.on_not_evaluated or self._default
        if fallback is None:
            raise UsageError(
                "on_not_evaluated: say what is to be done when no verdict can be had in time: allow, deny or review"
                " (or set AGENTDOG_CHECK__ON_NOT_EVALUATED)"
            )
        # Before anything is looked up, shown to a guard or written.
        asked = self._redact(asked)
        policy = self._policy.current()
        task = asyncio.create_task(self._answer(asked, policy))
        left = asked.deadline_ms / 1000 - (time.monotonic() - arrived)
        # Not `wait_for`, which waits for the cancelled task to end, and so for whatever hangs in it.
        await asyncio.wait({task}, timeout=max(0.0, left))
        if not task.done():
            self._leave(task)
            found = self._after_all(asked, policy, _Unknown(Reason.TIMED_OUT, "the deadline passed before a verdict"))
        else:
            found = _result(task) or self._after_all(
                asked, policy, _Unknown(Reason.GUARD_ERROR, "the check failed here; the log says how")
            )
        answer = found if isinstance(found, Answer) else _not_evaluated(found, fallback)
        return _timed(answer, arrived)

    def _leave(self, task: asyncio.Task[Answer | _Unknown]) -> None:
        """Ends what is late without waiting for it."""
        task.cancel()
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        task.add_done_callback(_looked_at)

    async def _answer(self, asked: Asked, policy: Policy) -> Answer | _Unknown:
        known = await self._look_up(asked)
        rule = await self._aside(self._ruled, known.trajectory, policy)
        seen = len(known.trajectory.steps) - 1
        if rule is not None:
            return _by_rule(rule, known.stored_id, seen)
        if known.reason is not None:
            return _Unknown(known.reason, known.detail or "", self._guard.info.name)
        verdict = await self._judge(known.trajectory)
        if verdict.outcome is Outcome.NOT_EVALUATED:
            return _Unknown(str(verdict.reason), verdict.detail or "", self._guard.info.name)
        return await self._by_guard(known, verdict)

    async def _aside(self, work: Callable[..., T], *arguments: object) -> T:
        """Runs what may be long beside the event loop, so that other checks and deadlines are not held up."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def _look_up(self, asked: Asked) -> _Known:
        project = asked.project or self._project
        access = current()
        if asked.project is not None:
            access.need_project(asked.project)
        if asked.messages is not None:
            return _Known(prefix.from_messages(asked, project))
        if asked.trajectory_id is None:
            raise UsageError(
                "messages: give what was before the call, or trajectory_id for a run whose telemetry is here"
            )
        try:
            stored = await self._store.get(asked.trajectory_id, asked.project, access.projects)
        except StoreUnavailable as error:
            return _Known(prefix.bare(asked, project), None, STORE_UNAVAILABLE, str(error))
        if stored is None:
            detail = (
                f"nothing is known of {asked.trajectory_id!r} yet; telemetry arrives after the fact (send messages, or"
                " export sooner: OTEL_BSP_SCHEDULE_DELAY)"
            )
            return _Known(prefix.bare(asked, project), None, Reason.NO_CONTENT, detail)
        return _Known(prefix.from_stored(stored.trajectory, asked), stored.trajectory.id)

    def _ruled(self, trajectory: Trajectory, policy: Policy) -> Rule | None:
        """Returns the rule that decides on the last step; the prefix is read only if there are rules."""
        if not policy.rules:
            return None
        if any(rule.provenance for rule in policy.rules):
            background = self._known_of(policy.trusted_tools).before_last(trajectory)
        else:
            background = Background(self._effects, Header.of(trajectory), policy.trusted_tools)
        last = trajectory.steps[-1]
        pending = background.pending(last.tool_calls[0], agent=last.agent, project=trajectory.project)
        return decide(policy, pending)

    def _known_of(self, trusted_tools: tuple[str, ...]) -> Sessions[Background]:
        """What is known of runs, as long as the same tools are trusted."""
        known = self._backgrounds
        if known is None or known[0] != trusted_tools:
            known = trusted_tools, Sessions(lambda header: Background(self._effects, header, trusted_tools))
            self._backgrounds = known
        return known[1]

    def _after_all(self, asked: Asked, policy: Policy, unknown: _Unknown) -> Answer | _Unknown:
        """A call that is forbidden whatever was before it stays forbidden when the rest could not be seen in time."""
        if not policy.rules:
            return unknown
        strict = [rule for rule in policy.rules if rule.decision is not Decision.ALLOW and rule.provenance is None]
        rule = self._ruled(prefix.bare(asked, asked.project or self._project), Policy(rules=tuple(strict)))
        first = next((r for r in policy.rules if r.decision is Decision.ALLOW or r is rule), None)
        return _by_rule(rule, None, 0) if rule is not None and first is rule else unknown

    async def _judge(self, trajectory: Trajectory) -> Verdict:
        guard = self._guard if self._guard_for is None else await self._guard_for(trajectory.project)
        with asking(trajectory.project, urgent=True):
            session = await self._aside(self._of(guard).at_end, trajectory)
            return await session.verdict()

    def _of(self, guard: Guard) -> Sessions[GuardSession]:
        """The sessions of one guard; those of versions that no longer decide are let go."""
        found = self._sessions.pop(guard.info.fingerprint, None) or Sessions(guard.open)
        self._sessions[guard.info.fingerprint] = found
        while len(self._sessions) > _GUARDS:
            del self._sessions[next(iter(self._sessions))]
        return found

    async def _by_guard(self, known: _Known, verdict: Verdict) -> Answer:
        name, seen = self._guard.info.name, len(known.trajectory.steps) - 1
        common = {"by": By.GUARD, "guard": name, "p_unsafe": verdict.p_unsafe, "steps_seen": seen}
        if verdict.outcome is Outcome.SAFE:
            return Answer(
                decision=Decision.ALLOW,
                reason=f"{name} finds nothing against it.",
                trajectory_id=known.stored_id,
                **common,  # type: ignore[arg-type]
            )
        own = tuple(e for e in verdict.evidence if e.step == seen)
        decision, reason = self._on_unsafe, _worded(name, verdict, own, known.trajectory.steps[-1])
        if not own and await self._was_unsafe_before(known.trajectory, verdict):
            decision = Decision.REVIEW
            reason = f"{name} found this run unsafe before this call already, and nothing new in the call itself."
            if verdict.evidence:  # it says what it rests on, and none of that is this call
                decision = Decision.ALLOW
        return Answer(
            decision=decision,
            reason=reason,
            labels=verdict.labels,
            evidence=own or verdict.evidence,
            trajectory_id=known.stored_id,
            **common,  # type: ignore[arg-type]
        )

    async def _was_unsafe_before(self, trajectory: Trajectory, verdict: Verdict) -> bool:
        """Whether the prefix before the call is unsafe already: a red tail is no word on what comes after it."""
        if verdict.evidence:
            return True
        if len(trajectory.steps) < 2:
            return False
        before = await self._judge(_without_last(trajectory))
        return before.outcome is Outcome.UNSAFE


def _without_last(trajectory: Trajectory) -> Trajectory:
    return msgspec.structs.replace(trajectory, steps=trajectory.steps[:-1])


def _looked_at(task: asyncio.Task[Answer | _Unknown]) -> None:
    """A late task that failed is no business of anybody any more; asyncio would complain that nobody asked."""
    if not task.cancelled() and task.exception() is not None:
        _log.info("a check failed after its deadline: %s", task.exception())


def _result(task: asyncio.Task[Answer | _Unknown]) -> Answer | _Unknown | None:
    """Returns a task's result; what the caller did wrong is raised, a defect of ours is logged."""
    if task.cancelled():
        return None
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, UsageError):
        raise error
    _log.error("a check failed", exc_info=error)
    return None


def _by_rule(rule: Rule, stored_id: str | None, seen: int) -> Answer:
    return Answer(
        decision=rule.decision,
        reason=rule.reason,
        by=By.POLICY,
        rule=rule.id,
        trajectory_id=stored_id,
        steps_seen=seen,
    )


def _not_evaluated(unknown: _Unknown, fallback: Decision) -> Answer:
    return Answer(
        decision=fallback,
        reason=f"Not evaluated ({unknown.reason.replace('_', ' ')}); the caller says {fallback} then.",
        by=By.DEFAULT,
        not_evaluated=str(unknown.reason),
        detail=unknown.detail or None,
        guard=unknown.guard,
    )


def _worded(name: str, verdict: Verdict, own: tuple[Any, ...], step: Step) -> str:
    heaviest = own[0] if own else None
    if heaviest is not None:
        return str(heaviest.message)
    label = verdict.labels.failure_mode if verdict.labels else None
    how = f" ({label.replace('_', ' ')})" if label else ""
    return f"{name} finds the call to {step.tool_calls[0].name} unsafe{how}."


def _timed(answer: Answer, arrived: float) -> Answer:
    return msgspec.structs.replace(answer, elapsed_ms=round((time.monotonic() - arrived) * 1000, 3))
