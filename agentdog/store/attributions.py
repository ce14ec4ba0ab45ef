"""Which text moved a run's actions and verdicts, beside the run; one per step and target, the newest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentdog.attribution import Asked
from agentdog.store import keys
from agentdog.store.link import Link


class AttributionShelf:
    """Reads and writes attributions."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def of(self, project: str, trajectory_id: str) -> Sequence[Asked]:
        """Returns a run's attributions, in the order of its steps."""
        raw = await self._link.one("HVALS", keys.attributions(project, trajectory_id))
        found = (msgspec.json.decode(each, type=Asked) for each in raw)
        return tuple(sorted(found, key=lambda each: (each.index, each.target)))

    async def save(self, asked: Asked) -> None:
        """Keeps one; an earlier one of the same step and target goes."""
        name = keys.attributions(asked.project, asked.trajectory_id)
        await self._link.one("HSET", name, f"{asked.target}:{asked.step_id}", msgspec.json.encode(asked))
