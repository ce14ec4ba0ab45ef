"""All lanes of the queue side by side: what is asked of work in general, asked of the lane that it lies in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from agentdog.base.clock import Clock
from agentdog.store import keys
from agentdog.store.keys import Lane
from agentdog.store.link import Link
from agentdog.store.queue import Queue
from agentdog.store.shapes import DeadLetter, Waiting, Work

_MS_NS = 1_000_000


class Lanes:
    """One queue per lane."""

    def __init__(self, link: Link, clock: Clock, lease_s: float) -> None:
        self._link = link
        self._queues: dict[Lane, Queue] = {lane: Queue(link, clock, lease_s, lane) for lane in get_args(Lane)}

    def __getitem__(self, lane: Lane) -> Queue:
        """Returns one lane's queue."""
        return self._queues[lane]

    async def extend(self, consumer: str, work: Sequence[Work]) -> None:
        """See `Queue.extend`."""
        for lane, here in _by_lane(work).items():
            await self._queues[lane].extend(consumer, here)

    async def done(self, work: Sequence[Work]) -> None:
        """See `Queue.done`."""
        for lane, here in _by_lane(work).items():
            await self._queues[lane].done(here)

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Returns the units given up in any lane, newest first."""
        found = [letter for queue in self._queues.values() for letter in await queue.dead_letters(limit)]
        return tuple(sorted(found, key=lambda letter: letter.time, reverse=True)[:limit])

    async def replay(self, letters: Sequence[DeadLetter]) -> int:
        """See `Queue.replay`; a letter's id begins with its lane."""
        count = 0
        for lane, queue in self._queues.items():
            count += await queue.replay([each for each in letters if each.id.startswith(f"{lane}/")])
        return count

    async def depth(self, lane: Lane | None) -> int:
        """See `Queue.depth`; of all lanes where none is named."""
        return sum([await queue.depth() for name, queue in self._queues.items() if lane in (None, name)])

    async def waiting(self) -> Mapping[Lane, Waiting]:
        """Returns what waits in each lane, and for how long."""
        return {
            lane: Waiting(units=await queue.depth(), later=await queue.later(), oldest_ns=await queue.oldest_ns())
            for lane, queue in self._queues.items()
        }

    async def progress(self) -> Mapping[Lane, int]:
        """Returns when something of each lane was finished last, in nanoseconds; nothing of one that never was."""
        flat = await self._link.one("HGETALL", keys.PROGRESS)
        said = {name.decode(): int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}
        return {lane: said[lane] * _MS_NS for lane in self._queues if lane in said}

    def close(self) -> None:
        """Stops listening for work."""
        for queue in self._queues.values():
            queue.close()


def _by_lane(work: Sequence[Work]) -> Mapping[Lane, list[Work]]:
    found: dict[Lane, list[Work]] = {}
    for each in work:
        found.setdefault(each.lane, []).append(each)
    return found
