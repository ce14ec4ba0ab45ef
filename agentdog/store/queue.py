"""The queue of one lane: one Redis stream per partition, one consumer group.

Invariants: a unit waits at most once (the set ``dirty``); it leaves that set when it is claimed and *before* its
records are read, so a record that comes later queues it anew; a claim whose worker falls silent is taken over. Each
partition is asked by itself, as a cluster wants it; where to ask is what the `Doorbell` told, and now and then all.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from agentdog.base.clock import Clock, rfc3339
from agentdog.store import keys, scripts
from agentdog.store.contract import DeadLetter, Work
from agentdog.store.doorbell import Doorbell
from agentdog.store.keys import Lane
from agentdog.store.link import Command, Link, ReplyError

_DEAD_KEPT = 1000
_REMINDERS_AT_ONCE = 100
_NOTED_EVERY_S = 1.0
_ALL = range(keys.PARTITIONS)
_RING_MS = 100  # reminders are looked for at most so often; they are of things to do in seconds
_SWEEP_S = 1.0  # all partitions are looked through this often, whatever the bell says


class Queue:
    """Hands out changed units.

    Args:
        link: the server.
        clock: tells when reminders are due.
        lease_s: silence after which a claim is taken over.
        lane: what waits here: units to be woven, or trajectories to be judged.
    """

    def __init__(self, link: Link, clock: Clock, lease_s: float, lane: Lane = "weave") -> None:
        self._lane: Lane = lane
        self._link = link
        self._clock = clock
        self._lease_ms = int(lease_s * 1000)
        self._next_takeover = 0.0
        self._noted_at = -math.inf
        self._rung_ms = -_RING_MS
        self._ready = False
        self._names = [keys.work(number, lane) for number in _ALL]
        self._streams = {name.encode(): number for number, name in zip(_ALL, self._names, strict=True)}
        self._bell = Doorbell(link, self._streams)
        self._promising: set[int] = set()  # partitions that may hold something new
        self._next_sweep = 0.0

    async def claim(self, consumer: str, *, count: int, block_ms: int) -> Sequence[Work]:
        """Waits up to `block_ms` for work: taken over from the silent, due again, or new; up to `count` units."""
        try:
            await self._ensure_groups()
            await self._ring()
            return await self._take_over(consumer, count) or await self._read(consumer, count, block_ms)
        except ReplyError as error:
            if "NOGROUP" not in str(error):
                raise
            self._ready = False  # the server was emptied while we ran
            return ()

    def close(self) -> None:
        """Stops listening for work."""
        self._bell.close()

    async def extend(self, consumer: str, work: Sequence[Work]) -> None:
        """Says that these claims are still being worked on."""
        commands: list[Command] = []
        for each in work:
            number, entry = _place(each)
            commands.append(("XCLAIM", keys.work(number, self._lane), keys.GROUP, consumer, 0, entry, "JUSTID"))
        await self._link.many(commands)

    async def done(self, work: Sequence[Work]) -> None:
        """Acknowledges work whose effects are stored."""
        commands: list[Command] = []
        for each in work:
            number, entry = _place(each)
            commands.append(("XACK", keys.work(number, self._lane), keys.GROUP, entry))
            commands.append(("XDEL", keys.work(number, self._lane), entry))
        if work and time.monotonic() - self._noted_at > _NOTED_EVERY_S:
            self._noted_at = time.monotonic()
            commands.append(("HSET", keys.PROGRESS, self._lane, self._clock.now_ns() // 1_000_000))
        await self._link.many(commands)

    async def fail(self, work: Work, error: str, *, limit: int) -> bool:
        """Gives a unit another try, or lays it with the dead letters after `limit` tries; True when given up."""
        number, entry = _place(work)
        given_up = await self._link.run(
            scripts.FAIL,
            [keys.work(number, self._lane), keys.dead(number, self._lane)],
            keys.GROUP,
            entry,
            work.project,
            work.unit,
            work.deliveries,
            limit,
            error,
            _DEAD_KEPT,
        )
        self._promising.add(number)
        return bool(given_up)

    async def revisit(self, project: str, unit: str, due_ns: int) -> None:
        """Queues the unit again at a time (nanoseconds); a later call for the same unit replaces this one."""
        await self._link.one("ZADD", keys.due(self._lane), due_ns // 1_000_000, _member(project, unit))
        self._rung_ms = -_RING_MS

    async def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """Returns the units given up, newest first."""
        answers = await self._link.many(
            [("XREVRANGE", keys.dead(n, self._lane), "+", "-", "COUNT", limit) for n in _ALL]
        )
        found = [(number, entry) for number, answer in zip(_ALL, answers, strict=True) for entry in answer]
        found.sort(key=lambda each: _order(each[1][0]), reverse=True)
        return tuple(_dead(f"{self._lane}/{number}", entry) for number, entry in found[:limit])

    async def replay(self, letters: Sequence[DeadLetter]) -> int:
        """Queues dead letters of this lane again; returns how many were still there."""
        commands = []
        for letter in letters:
            _, partition, entry = letter.id.split("/")
            number = int(partition)
            names = [keys.work(number, self._lane), keys.dead(number, self._lane), keys.dirty(number, self._lane)]
            commands.append(scripts.REPLAY.call(names, entry, letter.project, letter.unit))
            self._promising.add(number)
        return sum(await self._link.many(commands))

    async def depth(self) -> int:
        """Returns how many units wait or are being worked on."""
        return sum(await self._sizes())

    async def later(self) -> int:
        """Returns how many units are to be looked at again at a time of their own."""
        return int(await self._link.one("ZCARD", keys.due(self._lane)))

    async def oldest_ns(self) -> int | None:
        """Returns when the oldest entry came to wait, in nanoseconds; ``None`` when nothing waits."""
        answers = await self._link.many([("XRANGE", keys.work(n, self._lane), "-", "+", "COUNT", 1) for n in _ALL])
        return min((_arrived(*answer[0]) for answer in answers if answer), default=None)

    async def _ensure_groups(self) -> None:
        if self._ready:
            return
        for number in _ALL:
            try:
                await self._link.one("XGROUP", "CREATE", keys.work(number, self._lane), keys.GROUP, "0", "MKSTREAM")
            except ReplyError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
        self._ready, self._next_sweep = True, 0.0

    async def _ring(self) -> None:
        now_ms = self._clock.now_ns() // 1_000_000
        if 0 <= now_ms - self._rung_ms < _RING_MS:
            return
        self._rung_ms = now_ms
        answer = await self._link.one(
            "ZRANGEBYSCORE", keys.due(self._lane), 0, now_ms, "WITHSCORES", "LIMIT", 0, _REMINDERS_AT_ONCE
        )
        commands: list[Command] = []
        for member, score in zip(answer[::2], answer[1::2], strict=True):
            project, unit = msgspec.json.decode(member, type=tuple[str, str])
            number = keys.partition(project, unit)
            commands.append(
                scripts.ENQUEUE.call([keys.dirty(number, self._lane), keys.work(number, self._lane)], project, unit)
            )
            commands.append(scripts.RING.call([keys.due(self._lane)], member, score))
            self._promising.add(number)
        await self._link.many(commands)

    async def _take_over(self, consumer: str, count: int) -> Sequence[Work]:
        """Claims what silent workers hold; looked for a few times per lease."""
        if time.monotonic() < self._next_takeover:
            return ()
        self._next_takeover = time.monotonic() + self._lease_ms / 4000
        answers = await self._link.many(
            [
                ("XAUTOCLAIM", keys.work(n, self._lane), keys.GROUP, consumer, self._lease_ms, "0", "COUNT", count)
                for n in _ALL
            ]
        )
        taken = []
        for number, (_, entries, *_rest) in zip(_ALL, answers, strict=True):
            for entry, fields in entries:
                if fields:  # an entry deleted meanwhile comes without
                    taken.append(await self._redelivered(number, entry, fields))
        await self._link.many(
            [("SREM", keys.dirty(_place(each)[0], self._lane), f"{each.project}\n{each.unit}") for each in taken],
        )
        return tuple(taken)

    async def _redelivered(self, number: int, entry: bytes, fields: Any) -> Work:  # noqa: ANN401
        pending = await self._link.one("XPENDING", keys.work(number, self._lane), keys.GROUP, entry, entry, 1)
        times = int(pending[0][3]) if pending else 1
        work = _work(self._lane, number, entry, fields)
        return msgspec.structs.replace(work, deliveries=work.deliveries + times - 1)

    async def _read(self, consumer: str, count: int, block_ms: int) -> Sequence[Work]:
        """Reads one unit each of some partitions where something may be, so that no worker hoards all."""
        deadline = time.monotonic() + block_ms / 1000
        while True:
            self._promising.update(self._streams[name] for name in self._bell.heard())
            if time.monotonic() >= self._next_sweep or not self._bell.listening:
                self._next_sweep = time.monotonic() + _SWEEP_S
                self._promising.update(await self._filled())
            while self._promising:
                found = await self._claim(consumer, self._some(count))
                if found:
                    return found
            now = time.monotonic()
            if now >= deadline:
                return ()
            if await self._bell.wait(min(deadline, max(self._next_sweep, now)) - now):
                self._next_sweep = 0.0

    async def _filled(self) -> Sequence[int]:
        """Returns the partitions where something waits, or is being worked on: what was done is deleted."""
        return [number for number, size in zip(_ALL, await self._sizes(), strict=True) if size]

    async def _sizes(self) -> Sequence[int]:
        """Returns how much lies in each partition; asked several times a second, busy or idle."""
        if await self._link.is_cluster():
            return await self._link.many([("XLEN", name) for name in self._streams])
        sizes: Sequence[int] = await self._link.run(scripts.LENGTHS, self._names)
        return sizes

    def _some(self, count: int) -> Sequence[int]:
        return random.sample(sorted(self._promising), min(max(count, 1), len(self._promising)))

    async def _claim(self, consumer: str, numbers: Sequence[int]) -> Sequence[Work]:
        names = [[keys.work(n, self._lane), keys.dirty(n, self._lane)] for n in numbers]
        answers = await self._link.many([scripts.CLAIM.call(each, keys.GROUP, consumer, 1) for each in names])
        self._promising.difference_update(n for n, (_, more) in zip(numbers, answers, strict=True) if not more)
        return tuple(
            _work(self._lane, number, entry, fields)
            for number, (entries, _) in zip(numbers, answers, strict=True)
            for entry, fields in entries
        )


def _member(project: str, unit: str) -> bytes:
    return msgspec.json.encode((project, unit))


def _place(work: Work) -> tuple[int, str]:
    """Returns the partition and the entry that a token stands for."""
    number, _, entry = work.token.partition("/")
    return int(number), entry


def _work(lane: Lane, number: int, entry: bytes, fields: Sequence[bytes]) -> Work:
    values = _fields(fields)
    return Work(
        lane=lane,
        arrived_ns=_arrived(entry, fields),
        project=values["project"],
        unit=values["unit"],
        token=f"{number}/{entry.decode()}",
        deliveries=int(values.get("attempts", 0)) + 1,
    )


def _arrived(entry: bytes, fields: Sequence[bytes]) -> int:
    """When what waits came in: as the entry says, else when it was queued."""
    said = int(_fields(fields).get("arrived", 0))
    return (said or int(entry.partition(b"-")[0])) * 1_000_000


def _dead(place: str, entry: Sequence[Any]) -> DeadLetter:
    values = _fields(entry[1])
    milliseconds = int(entry[0].partition(b"-")[0])
    return DeadLetter(
        id=f"{place}/{entry[0].decode()}",
        project=values["project"],
        unit=values["unit"],
        attempts=int(values["attempts"]),
        error=values["error"],
        time=rfc3339(milliseconds * 1_000_000),
    )


def _fields(flat: Sequence[bytes]) -> dict[str, str]:
    texts = [each.decode() for each in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _order(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds), int(sequence)
