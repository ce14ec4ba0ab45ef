"""How old telemetry is: one sorted set per partition, units by the time of their newest record in milliseconds.

Invariant: a unit with records has an age; it is set in the call that writes them. What an earlier version stored is
taken in by `adopt`, as if it had arrived then.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentdog.store import keys
from agentdog.store.deltas import refers_to
from agentdog.store.link import Command, Link
from agentdog.store.shelf import raw_of

_ALL = range(keys.PARTITIONS)


class Aged(msgspec.Struct, frozen=True, kw_only=True):
    """A unit, and when its newest record arrived (ms since the epoch)."""

    project: str
    unit: str
    at_ms: int


async def oldest(link: Link, limit: int, before_ms: int) -> Sequence[Aged]:
    """Returns units whose newest record arrived before a time and that do not wait to be woven, the oldest first."""
    answers = await link.many(
        [("ZRANGEBYSCORE", keys.ages(n), "-inf", f"({before_ms}", "WITHSCORES", "LIMIT", 0, limit) for n in _ALL]
    )
    found: list[tuple[int, int, bytes]] = []
    for number, answer in zip(_ALL, answers, strict=True):
        found += [(int(float(s)), number, m) for m, s in zip(answer[::2], answer[1::2], strict=True)]
    found.sort()
    waiting = await link.many([("SISMEMBER", keys.dirty(number), member) for _, number, member in found])
    free = [(at, member) for (at, _, member), waits in zip(found, waiting, strict=True) if not waits]
    out = []
    for at, member in free[:limit]:
        project, _, unit = member.decode().partition("\n")
        out.append(Aged(project=project, unit=unit, at_ms=at))
    return tuple(out)


async def newest_of(link: Link, project: str, units: Sequence[str]) -> int:
    """Returns when the newest record of some units arrived; 0 when there is none."""
    scores = await link.many([("ZSCORE", keys.ages(keys.partition(project, u)), f"{project}\n{u}") for u in units])
    return max((int(float(score)) for score in scores if score is not None), default=0)


async def postpone(link: Link, project: str, unit: str, at_ms: int) -> None:
    """Makes a unit as young as its run, so that it is not looked at again before that is old."""
    name = keys.ages(keys.partition(project, unit))
    await link.one("ZADD", name, "XX", "GT", at_ms, f"{project}\n{unit}")


async def adopt(link: Link, now_ms: int) -> int:
    """Gives an age to units that have none; returns how many."""
    count: int = 0
    async for names in link.scan(keys.ALL_RECORDS):
        commands: list[Command] = []
        for name in names:
            named = await _named(link, name)
            if named is not None:
                member = "\n".join(named)
                commands.append(("ZADD", keys.ages(keys.partition(*named)), "NX", now_ms, member))
        count += sum(int(added) for added in await link.many(commands))
    return count


async def _named(link: Link, key: bytes) -> tuple[str, str] | None:
    """Returns project and unit of a journal key; a long name is only in the records."""
    _, _, _, project, unit = key.decode().split(":", 4)
    if unit.startswith(("trace:", "session:")):
        return project, unit
    values = await link.one("HVALS", key)
    for value in values:
        if refers_to(value) is None:
            record = msgspec.json.decode(raw_of(b"", {b"": value}))
            trace = record.get("trace_id")
            return project, f"trace:{trace}" if trace else f"session:{record.get('session') or 'none'}"
    return None
