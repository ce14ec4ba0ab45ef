"""Where verdicts are kept, by guard and prefix: asking twice costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from agentdog.guards import Reason, Verdict

TRANSIENT = frozenset(
    {
        Reason.GUARD_UNREACHABLE,
        Reason.TIMED_OUT,
        Reason.GUARD_ERROR,
        Reason.GUARD_REFUSED,
        Reason.SUPERSEDED,
        Reason.OVER_BUDGET,
        Reason.NOT_SAMPLED,
    }
)
"""Reasons that say something about the moment (a server, a key, a budget) and nothing about the prefix.

A verdict with one of them is shown and counted, and never cached: the next diagnosis asks again. Every other verdict,
``not_evaluated`` ones included (too long, unparsable, no content), holds for that prefix and guard for good.
"""


def lasting(verdict: Verdict) -> bool:
    """Whether a verdict may be kept."""
    return verdict.reason not in TRANSIENT


class VerdictCache(Protocol):
    """Verdicts by guard fingerprint and prefix key."""

    async def get(self, guard: str, keys: Sequence[str]) -> Mapping[str, Verdict]:
        """Returns the verdicts that are there; keys without one are absent."""
        ...

    async def put(self, guard: str, key: str, verdict: Verdict) -> None:
        """Keeps one verdict."""
        ...


class MemoryCache:
    """Verdicts in this process, for one run of a command."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[str, str], Verdict] = {}

    async def get(self, guard: str, keys: Sequence[str]) -> Mapping[str, Verdict]:
        """Returns the verdicts that are there."""
        return {key: self._verdicts[guard, key] for key in keys if (guard, key) in self._verdicts}

    async def put(self, guard: str, key: str, verdict: Verdict) -> None:
        """Keeps one verdict."""
        self._verdicts[guard, key] = verdict
