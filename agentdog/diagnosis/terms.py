"""On what terms a trajectory is judged: the operator's policy, and the seams through which the outside has its say.

Every seam has a default that lets everything happen, so that offline evaluation runs the very code of the service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentdog.base.clock import Clock, SystemClock
from agentdog.diagnosis.cache import MemoryCache, VerdictCache
from agentdog.diagnosis.model import Diagnosis, Review
from agentdog.diagnosis.plan import Policy
from agentdog.guards import Verdict

#: Requests of one trajectory in flight at a server.
AT_ONCE = 8


class Purse(Protocol):
    """What may be spent on a guard."""

    async def refusal(self) -> str | None:
        """Says why nothing may be asked now; ``None`` when something may."""
        ...

    async def pay(self, verdict: Verdict) -> None:
        """Takes note of what an answer cost."""
        ...


class Leases(Protocol):
    """The right to ask for a prefix, among all who might."""

    async def take(self, guard: str, keys: Sequence[str]) -> Sequence[str]:
        """Returns those that nobody else is asking for."""
        ...

    async def give_back(self, guard: str, keys: Sequence[str]) -> None:
        """Lets others ask where there is no verdict to show for it."""
        ...


class _Bottomless:
    async def refusal(self) -> str | None:
        return None

    async def pay(self, verdict: Verdict) -> None:
        pass


class _Alone:
    async def take(self, guard: str, keys: Sequence[str]) -> Sequence[str]:
        return keys

    async def give_back(self, guard: str, keys: Sequence[str]) -> None:
        pass


async def _nobody() -> bool:
    return False


async def _ignore(diagnosis: Diagnosis) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How one look at a trajectory goes.

    Attributes:
        policy: what the operator decided.
        cache: where verdicts are looked up and saved.
        clock: of `Diagnosis.judged_at`.
        progress: told the diagnosis so far after a new verdict, where `due` says so; what it raises ends the look.
        due: whether a new verdict is worth telling of.
        given: told every verdict as it is given, with its step's index.
        purse: what may be spent.
        leases: who may ask for what.
        others_wait: whether older prefixes are put off for others' sake.
        reviews: what people said of incidents, by id.
        previous: the diagnosis before this one.
        asked: verdicts asked for so far on behalf of the trajectory.
        quiet: whether the trajectory has been quiet for a while; a last step that no agent took waits for that, since
            it is soon followed by one that did.
        patient: whether it is worth coming back for what a guard that hangs did not answer; else the rest is said to
            have timed out too, so that nothing is put off for ever.
        sampled: whether its project's sample holds the trajectory; nobody is asked of one that it leaves out.
    """

    policy: Policy = field(default_factory=Policy)
    cache: VerdictCache = field(default_factory=MemoryCache)
    clock: Clock = field(default_factory=SystemClock)
    progress: Callable[[Diagnosis], Awaitable[None]] = _ignore
    due: Callable[[Verdict], bool] = lambda verdict: True
    given: Callable[[int, Verdict], None] = lambda index, verdict: None
    purse: Purse = field(default_factory=_Bottomless)
    leases: Leases = field(default_factory=_Alone)
    others_wait: Callable[[], Awaitable[bool]] = _nobody
    reviews: Mapping[str, Review] = field(default_factory=dict)
    previous: Diagnosis | None = None
    asked: int = 0
    sampled: bool = True
    quiet: bool = True
    patient: bool = True
