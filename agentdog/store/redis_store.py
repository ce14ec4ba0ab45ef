"""`RedisStore`: the store's contract, composed of its parts; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentdog.base.clock import Clock, SystemClock
from agentdog.diagnosis import Diagnosis
from agentdog.guards import Verdict
from agentdog.spans import Memory
from agentdog.spans.records import Decoded, Record
from agentdog.store import accounting, server_info
from agentdog.store.contract import DeadLetter, FeedPage, Page, Query, Receipt, Stored, Version, Work
from agentdog.store.feed import Feed
from agentdog.store.journal import Journal
from agentdog.store.library import Library
from agentdog.store.link import Link
from agentdog.store.listing import Listing
from agentdog.store.queue import Queue
from agentdog.store.verdicts import VerdictCache
from agentdog.trajectory import Trajectory


class RedisStore:
    """Implements `agentdog.store.contract.Store` on Redis ≥ 7 or Valkey.

    Args:
        link: the server.
        lease_s: silence after which a worker's claims are taken over.
        verdict_ttl_s: how long a verdict is remembered.
        feed_events: events kept.
        clock: source of every stored time.
        memory: of what was read; whoever weaves what is gathered shares it.
    """

    def __init__(
        self,
        link: Link,
        *,
        lease_s: float,
        verdict_ttl_s: int,
        feed_events: int,
        clock: Clock | None = None,
        memory: Memory | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._link = link
        self.memory = memory or Memory()
        self._journal = Journal(link, self.memory)
        self._queue = Queue(link, clock, lease_s)
        self._feed = Feed(link, feed_events)
        self._listing = Listing(link)
        self._library = Library(link, self._journal, self._listing, self._feed, clock)
        self._verdicts = VerdictCache(link, verdict_ttl_s)

    async def append(self, project: str, batch: Decoded) -> Receipt:
        """See `Journal.append`."""
        return await self._journal.append(project, batch)

    async def claim(self, consumer: str, *, count: int, block_ms: int) -> Sequence[Work]:
        """See `Queue.claim`."""
        return await self._queue.claim(consumer, count=count, block_ms=block_ms)

    async def extend(self, consumer: str, work: Sequence[Work]) -> None:
        """See `Queue.extend`."""
        await self._queue.extend(consumer, work)

    async def done(self, work: Sequence[Work]) -> None:
        """See `Queue.done`."""
        await self._queue.done(work)

    async def fail(self, work: Work, error: str, *, limit: int) -> bool:
        """See `Queue.fail`."""
        return await self._queue.fail(work, error, limit=limit)

    async def revisit(self, project: str, unit: str, due_ns: int) -> None:
        """See `Queue.revisit`."""
        await self._queue.revisit(project, unit, due_ns)

    async def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """See `Queue.dead_letters`."""
        return await self._queue.dead_letters(limit)

    async def depth(self) -> int:
        """See `Queue.depth`."""
        return await self._queue.depth()

    async def gather(self, project: str, unit: str) -> Sequence[Record]:
        """See `Journal.gather`."""
        return await self._journal.gather(project, unit)

    async def trim(self, project: str, unit: str) -> None:
        """See `Journal.trim`."""
        await self._journal.trim(project, unit)

    async def save_trajectory(self, trajectory: Trajectory, aliases: Sequence[str], *, records: int = 0) -> bool:
        """See `Library.save_trajectory`."""
        return await self._library.save_trajectory(trajectory, aliases, records)

    async def save_diagnosis(self, project: str, diagnosis: Diagnosis, *, complete: bool = True) -> bool:
        """See `Library.save_diagnosis`."""
        return await self._library.save_diagnosis(project, diagnosis, complete=complete)

    async def verdicts(self, project: str, guard: str, keys: Sequence[str]) -> Mapping[str, Verdict]:
        """See `VerdictCache.read`."""
        return await self._verdicts.read(project, guard, keys)

    async def save_verdicts(self, project: str, guard: str, verdicts: Mapping[str, Verdict]) -> None:
        """See `VerdictCache.write`."""
        await self._verdicts.write(project, guard, verdicts)

    async def list(self, query: Query) -> Page:
        """See `Listing.page`."""
        where = [query.project] if query.project is not None else await accounting.projects(self._link)
        return await self._listing.page(query, where)

    async def get(self, any_id: str, project: str | None = None) -> Stored | None:
        """See `Library.get`."""
        return await self._library.get(any_id, project)

    async def search(self, words: str, *, project: str | None = None, limit: int = 20) -> tuple[Sequence[Stored], int]:
        """See `Library.search`."""
        return await self._library.search(words, project, limit)

    async def versions(self, project: str, trajectory_id: str) -> Sequence[Version]:
        """See `Library.versions`."""
        return await self._library.versions(project, trajectory_id)

    async def feed(self, since: str | None, *, limit: int = 100) -> FeedPage:
        """See `Feed.read`."""
        return await self._feed.read(since, limit)

    async def projects(self) -> Mapping[str, Mapping[str, int]]:
        """Counts every project's trajectories by displayed verdict."""
        return {name: await self._listing.counts(name) for name in await accounting.projects(self._link)}

    async def accounting(self) -> Mapping[str, Mapping[str, int]]:
        """See `accounting.accounting`."""
        return await accounting.accounting(self._link)

    async def audit(self) -> Mapping[str, Mapping[str, int]]:
        """See `accounting.audit`."""
        return await accounting.audit(self._link)

    async def sample(self, units: int) -> Sequence[Record]:
        """See `Journal.sample`."""
        return await self._journal.sample(units)

    async def ping(self) -> Mapping[str, str | int | bool]:
        """See `server_info.ping`."""
        return await server_info.ping(self._link)

    async def close(self) -> None:
        """Closes all connections."""
        await self._link.close()
