"""`RedisFlow`: the parts of the store, and those calls of the contract that move things through it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agentdog.base.clock import Clock, SystemClock
from agentdog.outbound import Delivery
from agentdog.spans import Memory
from agentdog.spans.records import Received, Record
from agentdog.store import ages, finding, keys, refusals, scripts, server_info
from agentdog.store.analyses import AnalysisShelf
from agentdog.store.attributions import AttributionShelf
from agentdog.store.contract import (
    DeadLetter,
    Erased,
    Receipt,
    Refusal,
    Waiting,
    Work,
)
from agentdog.store.erasing import Eraser
from agentdog.store.feed import Feed
from agentdog.store.figures import Figures
from agentdog.store.journal import Journal
from agentdog.store.keys import Lane
from agentdog.store.lanes import Lanes
from agentdog.store.learned import LearnedModels
from agentdog.store.library import Library
from agentdog.store.link import Link
from agentdog.store.listing import Listing
from agentdog.store.outbox import Outbox
from agentdog.store.reading import Reader
from agentdog.store.recent import Recent
from agentdog.store.reviews import Reviews
from agentdog.store.saved import SavedViews
from agentdog.store.tally import Tally
from agentdog.store.tokens import AuditLog, Tokens
from agentdog.store.verdicts import VerdictCache


class RedisFlow:
    """Implements `agentdog.store.contract_flow.Flow`; see `RedisStore`."""

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
        self._journal = Journal(link, self.memory, clock)
        self._lanes = Lanes(link, clock, lease_s)
        self._feed = Feed(link, feed_events)
        self._listing = Listing(link)
        self._tally = Tally(link)
        self._reader = Reader(link, self._journal, self._listing)
        self._library = Library(link, self._journal, self._listing, self._feed, self._reader, clock)
        self._reviews = Reviews(link)
        self._saved_views = SavedViews(link)
        self._verdicts = VerdictCache(link, verdict_ttl_s)
        self._eraser = Eraser(link, self._listing, self._reader.trajectory, self._journal.drop)
        self._figures = Figures(link)
        self._recent = Recent(link)
        self._clock = clock
        self._analyses = AnalysisShelf(link)
        self._attributions = AttributionShelf(link)
        self._learned = LearnedModels(link)
        self._outbox = Outbox(link)
        self._tokens = Tokens(link, clock)
        self._audit = AuditLog(link, clock)

    async def append(self, project: str, batch: Received) -> Receipt:
        """See `Journal.append`."""
        return await self._journal.append(project, batch)

    async def claim(self, consumer: str, *, count: int, block_ms: int, lane: Lane = "weave") -> Sequence[Work]:
        """See `Queue.claim`."""
        return await self._lanes[lane].claim(consumer, count=count, block_ms=block_ms)

    async def done(self, work: Sequence[Work]) -> None:
        """See `Lanes.done`."""
        await self._lanes.done(work)

    async def extend(self, consumer: str, work: Sequence[Work]) -> None:
        """See `Lanes.extend`."""
        await self._lanes.extend(consumer, work)

    async def fail(self, work: Work, error: str, *, limit: int) -> bool:
        """See `Queue.fail`."""
        return await self._lanes[work.lane].fail(work, error, limit=limit)

    async def revisit(self, project: str, unit: str, due_ns: int, *, lane: Lane = "weave") -> None:
        """See `Queue.revisit`."""
        await self._lanes[lane].revisit(project, unit, due_ns)

    async def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """See `Lanes.dead_letters`."""
        return await self._lanes.dead_letters(limit)

    async def replay(self, letters: Sequence[DeadLetter]) -> int:
        """See `Lanes.replay`."""
        return await self._lanes.replay(letters)

    async def refusals(self, projects: Sequence[str], limit: int = 100) -> Sequence[Refusal]:
        """See `refusals.newest`."""
        return await refusals.newest(self._link, projects, limit)

    async def depth(self, lane: Lane | None = None) -> int:
        """See `Lanes.depth`."""
        return await self._lanes.depth(lane)

    async def waiting(self) -> Mapping[Lane, Waiting]:
        """See `Lanes.waiting`."""
        return await self._lanes.waiting()

    async def erase(self, project: str, units: Collection[str], *, dry_run: bool = False) -> Erased:
        """See `Eraser.erase`."""
        return await self._eraser.erase(project, units, dry_run=dry_run)

    async def erase_if_older(self, project: str, unit: str, before_ms: int) -> Erased | None:
        """See `Eraser.erase_if_older`."""
        return await self._eraser.erase_if_older(project, unit, before_ms)

    async def leftovers(self, project: str, trajectory_id: str, units: Sequence[str] = ()) -> bool:
        """See `Eraser.leftovers`."""
        return await self._eraser.leftovers(project, trajectory_id, units)

    async def sweep(self, project: str) -> int:
        """See `Eraser.sweep`."""
        return await self._eraser.sweep(project)

    async def oldest(self, limit: int, before_ms: int) -> Sequence[ages.Aged]:
        """See `ages.oldest`."""
        return await ages.oldest(self._link, limit, before_ms)

    async def adopt(self, now_ms: int) -> int:
        """See `ages.adopt`."""
        return await ages.adopt(self._link, now_ms)

    async def reindex(self) -> int:
        """See `Library.reindex`."""
        return await self._library.reindex()

    async def units_where(self, project: str, kind: finding.Kind, values: Collection[str]) -> Sequence[str]:
        """See `finding.units_where`."""
        return await finding.units_where(self._link, self._journal.of_key, project, kind, values)

    async def hold(self, name: str, owner: str, seconds: float) -> bool:
        """Takes, or keeps, the right to do what one process does at a time."""
        return bool(await self._link.run(scripts.LEASE, [keys.held(name)], owner, int(seconds * 1000)))

    async def rewrite_log(self) -> bool:
        """See `server_info.rewrite_log`."""
        return await server_info.rewrite_log(self._link)

    async def progress(self) -> Mapping[Lane, int]:
        """See `Lanes.progress`."""
        return await self._lanes.progress()

    async def gather(self, project: str, unit: str) -> Sequence[Record]:
        """See `Journal.gather`."""
        return await self._journal.gather(project, unit)

    async def trim(self, project: str, unit: str) -> None:
        """See `Journal.trim`."""
        await self._journal.trim(project, unit)

    async def enqueue(self, project: str, units: Sequence[str]) -> None:
        """See `Outbox.enqueue`."""
        await self._outbox.enqueue(project, units)

    async def save_delivery(self, delivery: Delivery) -> None:
        """See `Outbox.save`."""
        await self._outbox.save(delivery)

    async def delivery(self, project: str, trajectory_id: str, delivery_id: str) -> Delivery | None:
        """See `Outbox.one`."""
        return await self._outbox.one(project, trajectory_id, delivery_id)

    async def deliveries(self, projects: Sequence[str], limit: int, *, unsent: bool = False) -> Sequence[Delivery]:
        """See `Outbox.newest`."""
        return await self._outbox.newest(projects, limit, unsent=unsent)

    async def unsent(self, projects: Sequence[str]) -> int:
        """See `Outbox.unsent`."""
        return await self._outbox.unsent(projects)

    async def told(self, project: str, trajectory_id: str) -> Mapping[str, str]:
        """See `Outbox.told`."""
        return await self._outbox.told(project, trajectory_id)

    async def save_told(self, project: str, trajectory_id: str, marks: Mapping[str, str]) -> None:
        """See `Outbox.save_told`."""
        await self._outbox.save_told(project, trajectory_id, marks)

    async def may_send(self, target: str, minute: int, limit: int) -> bool:
        """See `Outbox.may_send`."""
        return await self._outbox.may_send(target, minute, limit)
