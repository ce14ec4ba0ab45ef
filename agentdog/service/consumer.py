"""A consumer of one lane: claims what waits, has it worked on, acknowledges it when its effects are stored.

Invariants: every effect is idempotent, so a consumer may die at any moment; one unit is worked on once at a time here,
and whatever was queued meanwhile is done in one more pass; a unit that fails is tried a few times and then laid with
the dead letters, and never takes the consumer with it; no more is claimed than can be worked on at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from agentdog.base.errors import StoreUnavailable
from agentdog.service.progress import Pulse
from agentdog.service.settings import WorkerSettings
from agentdog.store.contract import Store, Work
from agentdog.store.keys import Lane

_log = logging.getLogger(__name__)

_BLOCK_MS = 500
_HEARTBEATS_PER_LEASE = 3
_BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_NANOS = 1_000_000_000
_Key = tuple[str, str]

#: Works on one unit; given the oldest of what was queued for it.
Process = Callable[[Work], Awaitable[None]]


class Consumer:
    """Works on up to `concurrency` units of a lane at a time.

    Args:
        store: where work comes from.
        lane: which work.
        process: what is done with a unit.
        limits: tries and lease.
        concurrency: units at a time.
        name: of this consumer among all of its lane, stable while it runs.
        grace_s: how long what is under way may take when it is told to stop; the rest is dropped, and taken over.
        pulse: told of every claim and everything done.
    """

    def __init__(
        self,
        store: Store,
        lane: Lane,
        process: Process,
        limits: WorkerSettings,
        *,
        concurrency: int,
        name: str,
        grace_s: float,
        pulse: Pulse | None = None,
    ) -> None:
        self._pulse = pulse or Pulse()
        self._store = store
        self._lane: Lane = lane
        self._process = process
        self._limits = limits
        self._concurrency = concurrency
        self._name = name
        self._grace_s = grace_s
        self._waiting: dict[_Key, list[Work]] = {}
        self._running: dict[_Key, list[Work]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(concurrency)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; what does not end soon after is dropped, and taken over by others."""
        async with asyncio.TaskGroup() as group:
            heart = group.create_task(self._heartbeat())
            failures = 0
            while not stop.is_set():
                if not await self._room(stop):
                    break
                try:
                    room = max(self._concurrency - len(self._running), 1)
                    for work in await self._store.claim(self._name, count=room, block_ms=_BLOCK_MS, lane=self._lane):
                        self._take(work, group)
                    failures = 0
                except StoreUnavailable as error:  # not this process's fault
                    _log.warning("waiting for the store: %s", error)
                    await _pause(stop, _backoff(failures))
                    failures += 1
                self._pulse.advanced(self._lane)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._grace_s)
            for task in (heart, *self._tasks):
                task.cancel()

    async def _room(self, stop: asyncio.Event) -> bool:
        """Waits until a unit can be worked on at once, so that nothing is claimed only to lie here; False on `stop`."""
        if not self._free.locked():
            return True
        stopping = asyncio.create_task(stop.wait())
        room = asyncio.create_task(self._free.acquire())
        await asyncio.wait({stopping, room}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not room.done():
            room.cancel()
            return False
        self._free.release()
        return not stop.is_set()

    def _take(self, work: Work, group: asyncio.TaskGroup) -> None:
        key = (work.project, work.unit)
        self._waiting.setdefault(key, []).append(work)
        if key not in self._running:
            self._running[key] = []
            task = group.create_task(self._unit(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _unit(self, key: _Key) -> None:
        """Works on one unit until nothing more of it waits."""
        try:
            while work := self._waiting.pop(key, None):
                self._running[key] = work
                async with self._free:
                    await self._attempt(key, work)
        finally:
            del self._running[key]

    async def _attempt(self, key: _Key, work: Sequence[Work]) -> None:
        """Works on a unit once; while the store is away, nobody's fault, it stays ours and is tried again."""
        failures = 0
        while True:
            self._pulse.advanced(self._lane)
            try:
                await self._process(min(work, key=lambda each: each.arrived_ns))
                await self._store.done(work)
                return
            except StoreUnavailable as error:
                _log.warning("unit %s waits for the store: %s", key[1], error)
                await asyncio.sleep(_backoff(failures))
                failures += 1
            except Exception as error:
                _log.exception("unit %s of project %s failed", key[1], key[0])
                await self._give_back(work, f"{type(error).__name__}: {error}")
                return

    async def _give_back(self, work: Sequence[Work], error: str) -> None:
        try:
            await self._store.done(work[:-1])
            if await self._store.fail(work[-1], error, limit=self._limits.attempts):
                _log.error("unit %s given up after %d tries; see `agentdog doctor`", work[-1].unit, work[-1].deliveries)
        except StoreUnavailable as trouble:
            _log.warning("unit %s left for later: %s", work[-1].unit, trouble)

    async def _heartbeat(self) -> None:
        """Keeps claims of long work from being taken over."""
        while True:
            await asyncio.sleep(self._limits.lease_s / _HEARTBEATS_PER_LEASE)
            held = [work for group in (self._running, self._waiting) for works in group.values() for work in works]
            try:
                await self._store.extend(self._name, held)
            except StoreUnavailable as error:
                _log.warning("claims not extended: %s", error)


def _backoff(failures: int) -> float:
    return _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
