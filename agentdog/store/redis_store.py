"""`RedisStore`: the store's contract, composed of its parts; nothing is decided here.

One file, since it is one flat list: each call of the contract, and the part that answers it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agentdog.attribution import Asked
from agentdog.base.clock import Clock, SystemClock
from agentdog.diagnosis import Alerting, Analysis, Calibration, Diagnosis, Tuning
from agentdog.diagnosis import Review as State
from agentdog.guards import Verdict
from agentdog.guards.embedded.learned.standing import Standing
from agentdog.outbound import Delivery
from agentdog.review import Review, Suppression
from agentdog.spans import Memory
from agentdog.spans.records import Received, Record
from agentdog.store import accounting, ages, finding, keys, refusals, scripts, server_info
from agentdog.store.analyses import AnalysisShelf
from agentdog.store.attributions import AttributionShelf
from agentdog.store.contract import (
    Assignment,
    DeadLetter,
    Erased,
    FeedPage,
    Page,
    Query,
    Receipt,
    Refusal,
    Stored,
    Version,
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
from agentdog.store.reviews import Reviews
from agentdog.store.tally import Tally
from agentdog.store.tokens import AuditEntry, AuditLog, Role, Token, Tokens
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
        self._journal = Journal(link, self.memory, clock)
        self._lanes = Lanes(link, clock, lease_s)
        self._feed = Feed(link, feed_events)
        self._listing = Listing(link)
        self._tally = Tally(link)
        self._reader = Reader(link, self._journal, self._listing)
        self._library = Library(link, self._journal, self._listing, self._feed, self._reader, clock)
        self._reviews = Reviews(link)
        self._verdicts = VerdictCache(link, verdict_ttl_s)
        self._eraser = Eraser(link, self._listing, self._reader.trajectory, self._journal.drop)
        self._figures = Figures(link)
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

    async def extend(self, consumer: str, work: Sequence[Work]) -> None:
        """See `Lanes.extend`."""
        await self._lanes.extend(consumer, work)

    async def done(self, work: Sequence[Work]) -> None:
        """See `Lanes.done`."""
        await self._lanes.done(work)

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

    async def save_trajectory(
        self, trajectory: Trajectory, aliases: Sequence[str], *, records: int = 0, arrived_ns: int = 0
    ) -> bool:
        """See `Library.save_trajectory`."""
        return await self._library.save_trajectory(trajectory, aliases, records, arrived_ns)

    async def assignment(self, project: str, trajectory_id: str) -> Assignment | None:
        """See `Library.assignment`."""
        return await self._library.assignment(project, trajectory_id)

    async def review(self, project: str, trajectory_id: str, incident_id: str, state: State) -> bool:
        """See `Library.review`."""
        return await self._library.review(project, trajectory_id, incident_id, state)

    async def count_asked(self, project: str, trajectory_id: str, number: int) -> None:
        """See `Library.count_asked`."""
        await self._library.count_asked(project, trajectory_id, number)

    async def lease(
        self, project: str, guard: str, keys: Sequence[str], *, owner: str, seconds: float
    ) -> Sequence[str]:
        """See `VerdictCache.lease`."""
        return await self._verdicts.lease(project, guard, keys, owner=owner, seconds=seconds)

    async def release(self, project: str, guard: str, keys: Sequence[str], *, owner: str) -> None:
        """See `VerdictCache.release`."""
        await self._verdicts.release(project, guard, keys, owner=owner)

    async def spend(self, project: str, minute: int, tokens: int) -> None:
        """See `Figures.spend`."""
        await self._figures.spend(project, minute, tokens)

    async def spent(self, minute: int) -> Mapping[str, int]:
        """See `Figures.spent`."""
        return await self._figures.spent(minute)

    async def add_figures(self, figures: Mapping[tuple[str, ...], float]) -> None:
        """See `Figures.add`."""
        await self._figures.add(figures)

    async def figures(self) -> Mapping[tuple[str, ...], float]:
        """See `Figures.read`."""
        return await self._figures.read()

    async def tuning(self, project: str) -> Tuning | None:
        """See `Figures.tuning`."""
        return await self._figures.tuning(project)

    async def save_tuning(self, project: str, tuning: Tuning) -> None:
        """See `Figures.save_tuning`."""
        await self._figures.save_tuning(project, tuning)

    async def learned(self, project: str) -> Standing | None:
        """See `LearnedModels.standing`."""
        return await self._learned.standing(project)

    async def save_learned(self, standing: Standing) -> None:
        """See `LearnedModels.save_standing`."""
        await self._learned.save_standing(standing)

    async def learned_model(self, project: str, version: str) -> bytes | None:
        """See `LearnedModels.model`."""
        return await self._learned.model(project, version)

    async def save_learned_model(self, project: str, version: str, data: bytes) -> None:
        """See `LearnedModels.save_model`."""
        await self._learned.save_model(project, version, data)

    async def saw_run(self, project: str, version: str, trajectory_id: str, share: float) -> None:
        """See `LearnedModels.saw`."""
        await self._learned.saw(project, version, trajectory_id, share)

    async def seen_runs(self, project: str, version: str) -> Sequence[float]:
        """See `LearnedModels.seen`."""
        return await self._learned.seen(project, version)

    async def calibrations(self) -> Mapping[str, Calibration]:
        """See `Figures.calibrations`."""
        return await self._figures.calibrations()

    async def save_calibration(self, calibration: Calibration) -> None:
        """See `Figures.save_calibration`."""
        await self._figures.save_calibration(calibration)

    async def analyses(self, project: str, trajectory_id: str) -> Sequence[Analysis]:
        """See `AnalysisShelf.of`."""
        return await self._analyses.of(project, trajectory_id)

    async def save_analysis(self, analysis: Analysis) -> None:
        """See `AnalysisShelf.save`."""
        await self._analyses.save(analysis)
        if analysis.state == "pending":
            await self.revisit(analysis.project, analysis.trajectory_id, 0, lane="explain")

    async def attributions(self, project: str, trajectory_id: str) -> Sequence[Asked]:
        """See `AttributionShelf.of`."""
        return await self._attributions.of(project, trajectory_id)

    async def save_attribution(self, asked: Asked) -> None:
        """See `AttributionShelf.save`."""
        await self._attributions.save(asked)
        if asked.state == "pending":
            await self.revisit(asked.project, asked.trajectory_id, 0, lane="explain")

    async def save_diagnosis(
        self, project: str, diagnosis: Diagnosis, *, complete: bool = True, alerting: Alerting = "observe"
    ) -> bool:
        """See `Library.save_diagnosis`."""
        return await self._library.save_diagnosis(project, diagnosis, complete=complete, alerting=alerting)

    async def verdicts(self, project: str, guard: str, keys: Sequence[str]) -> Mapping[str, Verdict]:
        """See `VerdictCache.read`."""
        return await self._verdicts.read(project, guard, keys)

    async def save_verdicts(
        self, project: str, guard: str, verdicts: Mapping[str, Verdict], run: str | None = None
    ) -> None:
        """See `VerdictCache.write`."""
        await self._verdicts.write(project, guard, verdicts, run)

    async def list(self, query: Query, within: Collection[str] | None = None) -> Page:
        """See `Listing.page`."""
        where = await self._where(query.project, within)
        return await self._listing.page(query, where)

    async def names(
        self, project: str | None = None, within: Collection[str] | None = None
    ) -> Mapping[str, Mapping[str, int]]:
        """See `Tally.names`."""
        return await self._tally.names(await self._where(project, within))

    async def tally(
        self,
        project: str | None,
        facets: Sequence[str],
        spans: Sequence[tuple[int | str, int | str]],
        within: Collection[str] | None = None,
    ) -> Mapping[str, Sequence[int]]:
        """See `Tally.count`."""
        return await self._tally.count(await self._where(project, within), facets, spans)

    async def get(
        self, any_id: str, project: str | None = None, within: Collection[str] | None = None
    ) -> Stored | None:
        """See `Reader.get`."""
        return await self._reader.get(any_id, await self._where(project, within))

    async def _where(self, project: str | None, within: Collection[str] | None) -> Sequence[str]:
        where = [project] if project is not None else await accounting.projects(self._link)
        return where if within is None else [each for each in where if each in within]

    async def search(
        self, words: str, *, project: str | None = None, limit: int = 20, within: Collection[str] | None = None
    ) -> tuple[Sequence[Stored], int]:
        """See `Reader.search`."""
        return await self._reader.search(words, await self._where(project, within), limit)

    async def versions(self, project: str, trajectory_id: str) -> Sequence[Version]:
        """See `Library.versions`."""
        return await self._library.versions(project, trajectory_id)

    async def add_review(self, review: Review) -> Review | None:
        """See `Library.add_review`."""
        return await self._library.add_review(review)

    async def reviews(self, project: str, trajectory_id: str) -> Sequence[Review]:
        """See `Reviews.of`."""
        return await self._reviews.of(project, trajectory_id)

    async def reviewed(self, project: str, *, limit: int, offset: int = 0) -> Sequence[str]:
        """See `Reviews.runs`."""
        return await self._reviews.runs(project, limit, offset)

    async def suppressions(self, project: str | None = None) -> Sequence[Suppression]:
        """See `Reviews.rules`."""
        return await self._reviews.rules(await self._where(project, None))

    async def save_suppression(self, rule: Suppression) -> None:
        """See `Reviews.save_rule`."""
        await self._reviews.save_rule(rule)

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

    async def tokens(self) -> Mapping[str, Token]:
        """See `Tokens.all`."""
        return await self._tokens.all()

    async def token(self, identity: str) -> Token | None:
        """See `Tokens.one`."""
        return await self._tokens.one(identity)

    async def add_token(
        self, name: str, role: Role, projects: Sequence[str] = (), expires: str | None = None
    ) -> tuple[Token, str]:
        """See `Tokens.add`."""
        return await self._tokens.add(name, role, projects, expires)

    async def revoke_token(self, identity: str) -> bool:
        """See `Tokens.revoke`."""
        return await self._tokens.revoke(identity)

    async def record_access(self, entry: AuditEntry) -> None:
        """See `AuditLog.record`."""
        await self._audit.record(entry)

    async def audit_log(self, limit: int = 100) -> Sequence[AuditEntry]:
        """See `AuditLog.newest`."""
        return await self._audit.newest(limit)

    async def close(self) -> None:
        """Closes all connections."""
        self._lanes.close()
        await self._link.close()
