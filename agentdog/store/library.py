"""The library: one hash per trajectory with its diagnosis, and the ids by which it is found.

Every write is idempotent and decided by compare-and-set in Redis, so two workers on the same unit do no harm: a version
woven from fewer records never replaces one woven from more, and a diagnosis of another version is not kept.
The order of writes is trajectory, ids, row, feed: a worker that dies between them is repeated, and the repeat mends it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from agentdog.base.clock import Clock, rfc3339
from agentdog.base.ids import digest
from agentdog.base.threads import beside
from agentdog.base.together import together
from agentdog.diagnosis import Alerting, Diagnosis
from agentdog.diagnosis import Review as State
from agentdog.review import OF_INCIDENT, Review, apply, reviewed, states, suppressed
from agentdog.spans import units_of
from agentdog.store import keys, scripts
from agentdog.store.codec import identity, pack, unpack
from agentdog.store.contract import Assignment, Summary, Version
from agentdog.store.feed import Feed
from agentdog.store.index import Owners, named
from agentdog.store.journal import Journal
from agentdog.store.link import Command, Link
from agentdog.store.listing import Listing
from agentdog.store.news import News, event
from agentdog.store.reading import SMALL, Reader, blank
from agentdog.store.retold import retell
from agentdog.store.reviews import Reviews
from agentdog.store.rows import Overlay, base_of, facet, overlay_of, row_of
from agentdog.store.texts import found, said
from agentdog.store.words import Words
from agentdog.trajectory import Trajectory

_AT_HAND = 32  # trajectories that this process wrote last: whoever judges them here need not read them again
_MOVED_ON, _NEW = 0, 1  # answers of SAVE_DIAGNOSIS
_VERSIONS_KEPT = 50
_OPEN, _INDEXED = b"open", b"sort"  # indexes of the list; a store that has the last of them has those before it


class Library:
    """Saves trajectories, and what is judged and said of them."""

    def __init__(
        self, link: Link, journal: Journal, listing: Listing, feed: Feed, reader: Reader, clock: Clock
    ) -> None:
        self._link = link
        self._journal = journal
        self._listing = listing
        self._feed = feed
        self._reader = reader
        self._clock = clock
        self._owners = Owners(link)
        self._words = Words(link)
        self._saved: OrderedDict[tuple[str, str], tuple[bytes, Trajectory]] = OrderedDict()
        self._reviews = Reviews(link)
        self._news = News(link, feed)

    async def save_trajectory(
        self, trajectory: Trajectory, aliases: Sequence[str], records: int, arrived_ns: int = 0
    ) -> bool:
        """Stores a version unless it, or a later one, is there; takes in the trajectories that `aliases` name."""
        now = rfc3339(self._clock.now_ns())
        project, own = trajectory.project, trajectory.id
        held = self._journal.held(project, units_of(trajectory))
        blob = await beside(sum(len(raw) for _, raw in held) < SMALL, retell, trajectory, held)
        content = digest(identity(trajectory))
        saving = self._saving(trajectory, records, content, blob, now, arrived_ns or self._clock.now_ns())
        (saved,), (_, head, row, known, reviews) = await self._link.stages(
            [saving],
            [
                ("SADD", keys.PROJECTS, project),
                self._reader.head(project, own),
                self._listing.row(project, own),
                ("HMGET", keys.trajectory(project, own), "digest", "words", "event"),
                self._reviews.said(project, own),
            ],
        )
        version, posted, told = known
        if not saved and version != trajectory.digest.encode():  # else it is there already, perhaps without its row
            return False
        self._at_hand(trajectory, content)
        # In the list before it is asked who took it in, and others say so before they look into the list: of two that
        # were woven at the same time the one that knows less goes, whichever ends last.
        found = self._reader.summarised(head, now)
        listed = row_of(*found) if found is not None else None
        asking = self._owners.owner(project, own)
        if listed is not None:
            (owner,) = await self._listing.put(project, own, listed, read=[row], then=[asking])
        else:
            owner = await self._link.one(*asking)
        if await self._outdone(project, own, records, owner):
            return False
        summary = found[0] if found is not None else None
        if saved and reviews:
            await self._relay(project, own)
            summary = await self._refresh(project, own, now)
        changed = [event("trajectory.updated", summary, now)] if saved and summary is not None else []
        ids = list(dict.fromkeys([own, *aliases]))
        words = self._words.posting(project, own, (passage.text for passage in said(trajectory)), posted)
        _, *_, (rows, *cursors) = await self._link.stages(
            self._owners.naming(project, own, ids),
            *words,
            [self._listing.knowing(project, ids), *self._feed.publishing(changed)],
        )
        taken = [each for each, row in zip(ids, rows, strict=True) if row and each != own]
        await self._take_in(project, own, taken, records)
        gone = [self._feed.withdrawing(told)] if told else []
        if saved and taken and await self._reviews.of(project, own):
            # What was said of those that it took in is said of it now.
            await self._relay(project, own)
            if (summary := await self._refresh(project, own, now)) is not None:
                gone += [self._feed.withdrawing(cursor) for cursor in cursors]
                cursors = await self._link.many(self._feed.publishing([event("trajectory.updated", summary, now)]))
        if cursors:
            # That it changed before is forgotten, or long runs would fill the feed.
            await self._link.stages([("HSET", keys.trajectory(project, own), "event", cursors[0])], gone)
        return bool(saved)

    def _saving(
        self, trajectory: Trajectory, records: int, content: str, blob: bytes, now: str, arrived_ns: int
    ) -> Command:
        return scripts.SAVE_TRAJECTORY.call(
            self._with_lane(trajectory.project, trajectory.id),
            trajectory.digest,
            content,
            records,
            blob,
            msgspec.json.encode(base_of(trajectory, now)),
            trajectory.project,
            trajectory.id,
            arrived_ns // 1_000_000,
        )

    def _at_hand(self, trajectory: Trajectory, content: str) -> None:
        name = trajectory.project, trajectory.id
        self._saved[name] = content.encode(), trajectory
        self._saved.move_to_end(name)
        while len(self._saved) > _AT_HAND:
            self._saved.popitem(last=False)

    async def save_diagnosis(
        self, project: str, diagnosis: Diagnosis, *, complete: bool, alerting: Alerting = "observe"
    ) -> bool:
        """Stores a diagnosis if its digest is still the trajectory's, and announces incidents not announced before."""
        now = rfc3339(self._clock.now_ns())
        run = diagnosis.trajectory_id
        name = keys.trajectory(project, run)
        said_of_it, posted, newest = await self._link.many(
            [
                self._reviews.said(project, run),
                self._words.posted(project, run),
                ("LINDEX", keys.versions(project, run), 0),
            ]
        )
        reviews = await self._reviewed(project, diagnosis, now, self._reviews.read(said_of_it))
        shown = apply(diagnosis, reviews) or diagnosis
        overlay = msgspec.json.encode(overlay_of(shown, complete=complete, reviewed=reviewed(reviews)))
        content = digest(overlay, identity(msgspec.structs.replace(diagnosis, judged_at="")))
        saving = scripts.SAVE_DIAGNOSIS.call([name], diagnosis.digest, pack(diagnosis), overlay, content)
        (saved,), (said_by_now, head, row) = await self._link.stages(
            [saving],
            [
                ("HLEN", keys.reviews(project, run)),
                self._reader.head(project, run),
                self._listing.row(project, run),
            ],
        )
        if saved == _MOVED_ON:
            return False
        words = self._words.posting(project, run, (passage.text for passage in found(diagnosis)), posted)
        noted = [*words, self._noting(project, diagnosis, newest) if complete else []]

        async def announce(summary: Summary) -> None:
            events = [event("diagnosis.updated", summary, now)] if saved == _NEW else []
            await self._news.announce(project, shown.standing, summary, events, noted, alerting)

        if said_by_now != len(reviews):
            await self._relay(project, run)  # somebody said something meanwhile
            if (refreshed := await self._refresh(project, run, now)) is not None:
                await announce(refreshed)
        elif (listed := self._reader.summarised(head, now)) is not None:
            # The row leaves first; to wait for its answer before anything is told would only cost a round trip.
            await together(self._listing.put(project, run, row_of(*listed), read=[row]), announce(listed[0]))
        return True

    async def assignment(self, project: str, trajectory_id: str) -> Assignment | None:
        """Returns what a judge has to know of a trajectory that is there."""
        content, diagnosis, reviews, asked = await self._link.one(
            "HMGET", keys.trajectory(project, trajectory_id), "content", "diagnosis", "reviews", "asked"
        )
        known = self._saved.get((project, trajectory_id))
        if content and known and known[0] == content:
            trajectory: Trajectory | None = known[1]
        else:
            trajectory = await self._reader.trajectory(project, trajectory_id)
        if trajectory is None:
            return None
        return Assignment(
            trajectory=trajectory,
            diagnosis=unpack(diagnosis, Diagnosis) if diagnosis else None,
            reviews=msgspec.json.decode(reviews, type=dict[str, State]) if reviews else {},
            asked=int(asked or 0),
        )

    async def review(self, project: str, trajectory_id: str, incident_id: str, state: State) -> bool:
        """Keeps what a person says of an incident; its trajectory waits to be looked at again."""
        now_ms = self._clock.now_ns() // 1_000_000
        where = self._with_lane(project, trajectory_id)
        return bool(await self._link.run(scripts.REVIEW, where, incident_id, state, project, trajectory_id, now_ms))

    async def count_asked(self, project: str, trajectory_id: str, number: int) -> None:
        """Counts verdicts asked for; nothing where the trajectory is gone."""
        await self._link.run(scripts.COUNT, [keys.trajectory(project, trajectory_id)], "asked", number)

    def _with_lane(self, project: str, trajectory_id: str) -> list[str]:
        """A trajectory's key and those of the lane of its partition in which it waits to be judged."""
        number = keys.partition(project, trajectory_id)
        return [keys.trajectory(project, trajectory_id), keys.dirty(number, "judge"), keys.work(number, "judge")]

    async def _reviewed(
        self, project: str, diagnosis: Diagnosis, now: str, said_before: tuple[Review, ...]
    ) -> tuple[Review, ...]:
        """Returns what was said of a run, suppression rules that speak up now included."""
        rules = await self._reviews.rules([project]) if diagnosis.incidents else ()
        if not any(rule.holds(now) for rule in rules):
            return said_before
        stored = await self._reader.read(project, diagnosis.trajectory_id)
        if stored is None:
            return said_before
        for review in suppressed(diagnosis, stored.trajectory, rules, said_before, now):
            if await self._reviews.add(review) is not None:
                await self._tell_judge(review)
        return await self._reviews.of(project, diagnosis.trajectory_id)

    async def add_review(self, review: Review) -> Review | None:
        """Keeps what a person said, and shows it in lists and feed."""
        saved = await self._reviews.add(review)
        if saved is not None:
            now = rfc3339(self._clock.now_ns())
            await self._tell_judge(saved)
            await self._relay(review.project, review.trajectory_id)
            summary = await self._refresh(review.project, review.trajectory_id, now)
            if summary is not None:
                await self._feed.publish([event("review.updated", summary, now)])
        return saved

    async def _tell_judge(self, review: Review) -> None:
        """What comes after a dismissed incident is judged otherwise: its run is looked at again."""
        if review.action in OF_INCIDENT:
            await self.review(review.project, review.trajectory_id, review.subject, states(review.action))

    async def _relay(self, project: str, trajectory_id: str) -> None:
        """Brings the list's overlay up to what was judged and said by now."""
        name = keys.trajectory(project, trajectory_id)
        while True:
            fields = ("digest", "judged", "diagnosis", "overlay", "base")
            version, judged, blob, overlay, base = await self._link.one("HMGET", name, *fields)
            if not base:
                return
            said_now = await self._reviews.of(project, trajectory_id)
            diagnosis = unpack(blob, Diagnosis) if blob else None
            shown = apply(diagnosis, said_now, blank=blank(trajectory_id, version.decode()))
            before = msgspec.json.decode(overlay, type=Overlay) if overlay else None
            settled = before is None or before.verdict != "pending" or diagnosis is None
            fresh = (
                msgspec.json.encode(overlay_of(shown, complete=settled, reviewed=reviewed(said_now))) if shown else b""
            )
            if await self._link.run(scripts.SAVE_OVERLAY, [name], judged or b"", fresh):
                return

    async def reindex(self) -> int:
        """Lets runs be found by what earlier releases did not index: waiting incidents, other orders than the start's.

        Once per store, and again from the beginning where it was cut short; returns how many runs were looked at.
        """
        known = await self._link.one("GET", keys.INDEXED)
        if known == _INDEXED:
            return 0
        count = 0
        for name in await self._link.one("SMEMBERS", keys.PROJECTS):
            if known != _OPEN:
                await self._reopen(name.decode())
            count += await self._listing.reorder(name.decode())
        await self._link.one("SET", keys.INDEXED, _INDEXED)
        return count

    async def _reopen(self, project: str) -> None:
        unsafe, waiting = (keys.index(project, facet(*each)) for each in (("verdict", "unsafe"), ("open", "yes")))
        for run in await self._link.one("ZDIFF", 2, unsafe, waiting):
            await self._relay(project, run.decode())
            await self._refresh(project, run.decode(), rfc3339(self._clock.now_ns()))

    async def versions(self, project: str, trajectory_id: str) -> Sequence[Version]:
        """Returns what diagnoses of a trajectory said, newest first."""
        raw = await self._link.one("LRANGE", keys.versions(project, trajectory_id), 0, -1)
        return tuple(msgspec.json.decode(each, type=Version) for each in raw)

    def _noting(self, project: str, diagnosis: Diagnosis, newest: bytes | None) -> list[Command]:
        """Returns what keeps what a diagnosis says when that is new; two workers may note the same twice."""
        overlay = overlay_of(diagnosis, complete=True)
        said_now = Version(
            judged_at=diagnosis.judged_at,
            digest=diagnosis.digest,
            guard=diagnosis.guard.fingerprint,
            verdict=overlay.verdict,
            p_unsafe=diagnosis.p_unsafe,
            incidents=len(diagnosis.incidents),
            onset=diagnosis.incidents[0].onset if diagnosis.incidents else None,
        )
        name = keys.versions(project, diagnosis.trajectory_id)
        before = msgspec.json.decode(newest, type=Version) if newest else None
        if before and msgspec.structs.replace(before, judged_at=said_now.judged_at) == said_now:
            return []
        return [("LPUSH", name, msgspec.json.encode(said_now)), ("LTRIM", name, 0, _VERSIONS_KEPT - 1)]

    async def _outdone(self, project: str, own: str, records: int, said: bytes | None) -> bool:
        """Tells whether a trajectory of more records has taken this one in already, and if so leaves it to that."""
        owner = named(said) if said is not None else own
        size = await self._link.one("HGET", keys.trajectory(project, owner), "size") if owner != own else None
        if size is None or int(size) <= records:
            return False
        await self._take_in(project, owner, [own], int(size))
        return True

    async def _take_in(self, project: str, own: str, others: Sequence[str], records: int) -> None:
        """Retires trajectories that are listed and that this one has taken in."""
        for other in others:
            gone = await self._link.run(scripts.RETIRE, [keys.trajectory(project, other)], own, records)
            if gone:
                await self._reviews.follow(project, other, own)
                await self._listing.put(project, other, None)

    async def _refresh(self, project: str, trajectory_id: str, now: str) -> Summary | None:
        head, row = await self._link.many(
            [self._reader.head(project, trajectory_id), self._listing.row(project, trajectory_id)]
        )
        return await self._listed(project, trajectory_id, self._reader.summarised(head, now), row)

    async def _listed(
        self, project: str, trajectory_id: str, found: tuple[Summary, int] | None, row: bytes | None
    ) -> Summary | None:
        if found is None:
            return None
        await self._listing.put(project, trajectory_id, row_of(*found), read=[row])
        return found[0]
