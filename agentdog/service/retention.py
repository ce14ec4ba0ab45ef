"""Retention: runs that are old enough, or too much for the store's memory, are deleted for good, the oldest first.

A run is as old as its newest record. Any worker may do it, one at a time does (a lease in the store). What waits to be
woven, or came within the last minutes, is never deleted for want of room: then the receivers refuse (503) instead, and
nothing that was acknowledged is lost. What was deleted is counted and logged, and the log file is written anew, so that
it is not in there either.
"""

from __future__ import annotations

import asyncio
import logging

from agentdog.base.clock import Clock, SystemClock
from agentdog.base.errors import StoreUnavailable
from agentdog.service.figures import Figures
from agentdog.service.settings import Settings
from agentdog.store.contract import Store
from agentdog.store.server_info import budget

_log = logging.getLogger(__name__)

_LEASE = "retention"
_LEASE_S = 60.0
_DAY_MS = 86_400_000
#: Units that are looked at at a time; where it is for want of room, the memory is looked at after each few.
_BATCH, _FEW = 64, 2
#: Room that is made when there is none: a little more than needed, so that not every request meets the bound.
_ROOM = 0.95
#: Telemetry that came within this time is not deleted for want of room.
_FRESH_MS = 300_000
#: The log file is written anew this often at most, since that costs as much as all that is kept.
_REWRITE_S = 3600.0


class Retention:
    """Deletes what is not to be kept.

    Args:
        store: what is kept.
        settings: for how long, and how much.
        owner: of the lease, unique among workers.
        figures: where it is counted.
        clock: decides what is old.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        owner: str,
        figures: Figures | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._owner = owner
        self._figures = figures or Figures(store)
        self._clock = clock or SystemClock()
        self._adopted = False
        self._rewrite_due = False
        self._rewritten_ns = 0

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                _log.warning("retention waits for the store: %s", error)
            await asyncio.sleep(self._settings.retention.every_s)

    async def look(self) -> int:
        """Deletes what is due now, unless another worker does; returns how many units went or have a younger run."""
        if not await self._store.hold(_LEASE, self._owner, max(_LEASE_S, self._settings.retention.every_s * 2)):
            return 0
        if not self._adopted:
            await self._store.adopt(self._now_ms())
            if count := await self._store.reindex():
                _log.info("%d runs of an earlier release were indexed anew", count)
            self._adopted = True
        count = await self._by_age() + await self._by_bytes()
        self._rewrite_due = self._rewrite_due or count > 0
        if self._rewrite_due and self._clock.now_ns() - self._rewritten_ns >= _REWRITE_S * 1e9:
            self._rewrite_due = not await self._store.rewrite_log()
            self._rewritten_ns = self._clock.now_ns()
        return count

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    async def _by_age(self) -> int:
        days = self._settings.retention.days
        if not days:
            return 0
        before_ms = self._now_ms() - int(days * _DAY_MS)
        count = 0
        while gone := await self._oldest(before_ms, "age", _BATCH):
            count += gone
        return count

    async def _by_bytes(self) -> int:
        said = await self._store.ping()
        limit = self._settings.retention.bytes or int(budget(said, self._settings.limits.store_bytes) * _ROOM)
        if not limit or int(said["used_memory"]) <= limit:
            return 0
        count = 0
        while gone := await self._oldest(self._now_ms() - _FRESH_MS, "bytes", _FEW):
            count += gone
            if int((await self._store.ping())["used_memory"]) <= limit * _ROOM:
                return count
        _log.warning("the store is full and nothing in it may go: telemetry is refused (503) until there is room")
        return count

    async def _oldest(self, before_ms: int, reason: str, limit: int) -> int:
        """Deletes a batch of the oldest that are old enough; returns how many were looked at, 0 when there is none."""
        batch = await self._store.oldest(limit, before_ms)
        for aged in batch:
            erased = await self._store.erase_if_older(aged.project, aged.unit, before_ms)
            if erased is None:
                continue  # its run is younger: not looked at again before that is old
            self._figures.count("deleted", aged.project, reason, by=erased.records)
            _log.info("deleted by %s: %s of %s (%d records)", reason, aged.unit, aged.project, erased.records)
        return len(batch)
