"""The verdict cache: one key per (project, guard, prefix), forgotten after a time of its own.

A short lease per prefix keeps two workers from asking a guard the same thing. Invariant: whoever looks for a verdict,
then takes the lease and looks again, asks for nothing that is known: a lease is left to run out after its verdict was
written, and given back only where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentdog.guards import Verdict
from agentdog.store import keys, scripts
from agentdog.store.codec import pack, unpack
from agentdog.store.link import Command, Link


class VerdictCache:
    """Remembers verdicts for `ttl_s` seconds after they were given or last read back into a diagnosis."""

    def __init__(self, link: Link, ttl_s: int) -> None:
        self._link = link
        self._ttl_s = ttl_s

    async def read(self, project: str, guard: str, prefixes: Sequence[str]) -> Mapping[str, Verdict]:
        """Returns those verdicts that are known."""
        names = [keys.verdict(project, guard, prefix) for prefix in prefixes]
        answers = await self._link.many([("GETEX", name, "EX", self._ttl_s) for name in names])
        return {p: unpack(raw, Verdict) for p, raw in zip(prefixes, answers, strict=True) if raw}

    async def lease(
        self, project: str, guard: str, prefixes: Sequence[str], *, owner: str, seconds: float
    ) -> Sequence[str]:
        """Takes prefixes that nobody else is asking about; a lease of the owner's is made longer."""
        for_ms = max(int(seconds * 1000), 1)
        answers = await self._link.many(
            [scripts.LEASE.call([keys.lease(project, guard, p)], owner, for_ms) for p in prefixes]
        )
        return [prefix for prefix, granted in zip(prefixes, answers, strict=True) if granted]

    async def release(self, project: str, guard: str, prefixes: Sequence[str], *, owner: str) -> None:
        """Gives back leases of the owner's."""
        await self._link.many([scripts.RELEASE.call([keys.lease(project, guard, p)], owner) for p in prefixes])

    async def write(self, project: str, guard: str, verdicts: Mapping[str, Verdict], run: str | None = None) -> None:
        """Remembers verdicts by prefix, and which trajectory asked for them."""
        commands: list[Command] = []
        if run is not None and verdicts:
            asked = keys.verdicts_of(project, run)
            commands.append(("SADD", asked, *(f"{guard}\n{prefix}" for prefix in verdicts)))
            commands.append(("EXPIRE", asked, self._ttl_s))
        commands += [
            ("SET", keys.verdict(project, guard, prefix), pack(verdict), "EX", self._ttl_s)
            for prefix, verdict in verdicts.items()
        ]
        await self._link.many(commands)
