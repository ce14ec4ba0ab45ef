"""What people said of runs, and the rules that dismiss for them; kept apart from what guards say, which comes and goes.

Invariants: nothing that was said is ever overwritten or dropped while its run is there; a review lies in the partition
of its run and follows it when another run takes that one in; saving a review twice is saving it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from agentdog.review import Review, Suppression
from agentdog.store import keys
from agentdog.store.link import Command, Link
from agentdog.store.rows import micros


class Reviews:
    """Reviews by run, suppression rules by project."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def said(self, project: str, trajectory_id: str) -> Command:
        """Returns the command that reads what was said of a run, for `read`."""
        return ("HVALS", keys.reviews(project, trajectory_id))

    def read(self, answer: Sequence[bytes]) -> tuple[Review, ...]:
        """Reads what `said` answered, oldest first."""
        found = [msgspec.json.decode(each, type=Review) for each in answer]
        return tuple(sorted(found, key=lambda r: (r.time, r.version, r.id)))

    async def of(self, project: str, trajectory_id: str) -> tuple[Review, ...]:
        """Returns all that was said of a run, oldest first."""
        return self.read(await self._link.one(*self.said(project, trajectory_id)))

    async def add(self, review: Review) -> Review | None:
        """Keeps a review under the next version of its subject; ``None`` when it is there already.

        A review that has a version (it was imported) keeps it.
        """
        before = await self.of(review.project, review.trajectory_id)
        last = max((r.version for r in before if r.subject == review.subject), default=0)
        saved = msgspec.structs.replace(review, version=review.version or last + 1)
        name = keys.reviews(review.project, review.trajectory_id)
        if any(r.id == review.id for r in before):
            return None
        if not await self._link.one("HSETNX", name, saved.id, msgspec.json.encode(saved)):
            return None
        index = keys.reviewed(review.project)
        await self._link.one("ZADD", index, "GT", micros(saved.time), saved.trajectory_id)
        if saved.rule is not None:
            await self._count(saved.project, saved.rule, saved.time)
        return saved

    async def follow(self, project: str, other: str, own: str) -> None:
        """Moves what was said of a run to the one that took it in; repeating it changes nothing."""
        moved = [msgspec.structs.replace(review, trajectory_id=own) for review in await self.of(project, other)]
        for review in moved:
            await self._link.one("HSETNX", keys.reviews(project, own), review.id, msgspec.json.encode(review))
            await self._link.one("ZADD", keys.reviewed(project), "GT", micros(review.time), own)
        if moved:
            await self._link.one("DEL", keys.reviews(project, other))
            await self._link.one("ZREM", keys.reviewed(project), other)

    async def runs(self, project: str, limit: int, offset: int) -> Sequence[str]:
        """Returns the ids of reviewed runs, last reviewed first."""
        found = await self._link.one("ZREVRANGE", keys.reviewed(project), offset, offset + limit - 1)
        return tuple(each.decode() for each in found)

    async def rules(self, projects: Iterable[str]) -> tuple[Suppression, ...]:
        """Returns suppression rules with their counts, oldest first, whatever their state."""
        found = []
        for project in projects:
            raw, counts, lasts = await self._link.many(
                [
                    ("HGETALL", keys.suppressions(project)),
                    ("HGETALL", keys.suppressed(project)),
                    ("HGETALL", keys.suppressed_last(project)),
                ]
            )
            number = {key: int(value) for key, value in zip(counts[::2], counts[1::2], strict=True)}
            last = {key: value.decode() for key, value in zip(lasts[::2], lasts[1::2], strict=True)}
            for name, each in zip(raw[::2], raw[1::2], strict=True):
                rule = msgspec.json.decode(each, type=Suppression)
                found.append(msgspec.structs.replace(rule, count=number.get(name, 0), last=last.get(name)))
        return tuple(sorted(found, key=lambda rule: (rule.created, rule.id)))

    async def save_rule(self, rule: Suppression) -> None:
        """Keeps a rule as it is now; its count is not the caller's to set."""
        plain = msgspec.structs.replace(rule, count=0, last=None)
        await self._link.many(
            [
                ("SADD", keys.PROJECTS, rule.project),
                ("HSET", keys.suppressions(rule.project), rule.id, msgspec.json.encode(plain)),
            ]
        )

    async def _count(self, project: str, rule: str, time: str) -> None:
        await self._link.many(
            [
                ("HINCRBY", keys.suppressed(project), rule, 1),
                ("HSET", keys.suppressed_last(project), rule, time),
            ]
        )
