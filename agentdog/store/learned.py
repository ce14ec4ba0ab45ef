"""What projects have learned: models by version, how they stand, how new the words of recent runs are.

Invariant: a model is kept under its version and never changed; what is decided about it is one field.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentdog.guards.embedded.learned.standing import Standing
from agentdog.store import keys
from agentdog.store.link import Link

KEPT = 8
"""Models of one project that are kept, the newest ones."""
_RUNS = 400


class LearnedModels:
    """Speaks Redis for what was learned."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def standing(self, project: str) -> Standing | None:
        """Returns how it stands with a project; ``None`` where nothing was learned."""
        raw = await self._link.one("HGET", keys.learned(project), "standing")
        return msgspec.json.decode(raw, type=Standing) if raw else None

    async def save_standing(self, standing: Standing) -> None:
        """Decides how it stands; models that it no longer lists are dropped."""
        name = keys.learned(standing.project)
        await self._link.one("HSET", name, "standing", msgspec.json.encode(standing))
        kept = {f"model {v.version}" for v in standing.versions}
        gone = [f for f in await self._link.one("HKEYS", name) if f.startswith(b"model ") and f.decode() not in kept]
        if gone:
            await self._link.one("HDEL", name, *gone)

    async def model(self, project: str, version: str) -> bytes | None:
        """Returns a model's file."""
        raw: bytes | None = await self._link.one("HGET", keys.learned(project), f"model {version}")
        return raw

    async def save_model(self, project: str, version: str, data: bytes) -> None:
        """Keeps a model's file."""
        await self._link.one("HSET", keys.learned(project), f"model {version}", data)

    async def saw(self, project: str, version: str, trajectory_id: str, share: float) -> None:
        """Notes the share of new words in a run that ended."""
        name = keys.novelty(project, version)
        await self._link.many([("LPUSH", name, f"{share:.4f} {trajectory_id}"), ("LTRIM", name, 0, _RUNS - 1)])

    async def seen(self, project: str, version: str) -> Sequence[float]:
        """Returns the shares of runs that ended, the oldest first; of a run that was looked at again, the newest."""
        rows = await self._link.one("LRANGE", keys.novelty(project, version), 0, -1)
        found: dict[bytes, float] = {}
        for row in rows:
            share, _, run = row.partition(b" ")
            found.setdefault(run, float(share))
        return list(found.values())[::-1]
