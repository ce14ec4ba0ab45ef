"""What guards wrote about judged steps, beside their run; one per step, the newest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentdog.diagnosis import Analysis
from agentdog.store import keys
from agentdog.store.link import Link


class AnalysisShelf:
    """Reads and writes analyses."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def of(self, project: str, trajectory_id: str) -> Sequence[Analysis]:
        """Returns a run's analyses, in the order of its steps."""
        raw = await self._link.one("HVALS", keys.analyses(project, trajectory_id))
        found = (msgspec.json.decode(each, type=Analysis) for each in raw)
        return tuple(sorted(found, key=lambda each: each.index))

    async def save(self, analysis: Analysis) -> None:
        """Keeps one; an earlier one of the same step goes."""
        name = keys.analyses(analysis.project, analysis.trajectory_id)
        await self._link.one("HSET", name, analysis.step_id, msgspec.json.encode(analysis))
