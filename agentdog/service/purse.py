"""What may be spent on a guard, and who may ask for what, among all workers: both through the store.

Invariant: the tokens of a minute are counted where every worker sees them. A budget is looked at before each question
and an answer's cost is known only after it, so a minute ends above its budget by what was under way at most.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from agentdog.base.clock import Clock
from agentdog.guards import Verdict
from agentdog.service.settings import JudgeSettings
from agentdog.store.contract import Store

MINUTE_NS = 60_000_000_000


def computed(prompt: int | None, cached: int | None, completion: int | None) -> int:
    """Tokens that a guard computed for an answer: prompt tokens that no cache held, and what it wrote."""
    return max((prompt or 0) - (cached or 0), 0) + (completion or 0)


class StorePurse:
    """A project's share of the guards' tokens per minute."""

    def __init__(self, store: Store, project: str, limits: JudgeSettings, clock: Clock) -> None:
        self._store = store
        self._project = project
        self._limits = limits
        self._clock = clock
        self.answers = 0

    async def refusal(self) -> str | None:
        """Says which budget is used up."""
        limits = self._limits
        if not limits.tokens_per_minute and not limits.project_tokens_per_minute:
            return None
        spent = await self._store.spent(self._minute())
        total, own = sum(spent.values()), spent.get(self._project, 0)
        if limits.tokens_per_minute and total >= limits.tokens_per_minute:
            return f"{total} tokens of {limits.tokens_per_minute} are spent this minute (judge.tokens_per_minute)"
        if limits.project_tokens_per_minute and own >= limits.project_tokens_per_minute:
            of = limits.project_tokens_per_minute
            return f"{own} tokens of {of} are spent this minute by the project (judge.project_tokens_per_minute)"
        return None

    async def pay(self, verdict: Verdict) -> None:
        """Counts an answer and what it cost."""
        self.answers += 1
        await self.pay_tokens(verdict.prompt_tokens, verdict.cached_tokens, verdict.completion_tokens)

    async def pay_tokens(self, prompt: int | None, cached: int | None, completion: int | None) -> None:
        """Counts tokens that a guard computed."""
        if tokens := computed(prompt, cached, completion):
            await self._store.spend(self._project, self._minute(), tokens)

    def _minute(self) -> int:
        return self._clock.now_ns() // MINUTE_NS


class StoreLeases:
    """The prefixes that one look at a trajectory asks for; kept from others until it ends, then left to run out."""

    def __init__(self, store: Store, project: str, lease_s: float) -> None:
        self._store = store
        self._project = project
        self._lease_s = lease_s
        self._owner = secrets.token_hex(8)
        self._held: dict[str, set[str]] = {}

    async def take(self, guard: str, keys: Sequence[str]) -> Sequence[str]:
        """Returns those that nobody else is asking for."""
        granted = await self._store.lease(self._project, guard, keys, owner=self._owner, seconds=self._lease_s)
        self._held.setdefault(guard, set()).update(granted)
        return granted

    async def give_back(self, guard: str, keys: Sequence[str]) -> None:
        """Lets others ask."""
        if keys:
            self._held.get(guard, set()).difference_update(keys)
            await self._store.release(self._project, guard, keys, owner=self._owner)

    async def keep(self) -> None:
        """Makes leases longer again and again, until it is cancelled: a guard may take its time."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            for guard, keys in self._held.items():
                await self._store.lease(self._project, guard, list(keys), owner=self._owner, seconds=self._lease_s)
