"""Reading the library: trajectories by any of their ids, or by their words, with what was judged and said of them.

Nothing is written here. A trajectory that another took in is found there.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentdog.base.threads import beside
from agentdog.diagnosis import Diagnosis
from agentdog.guards import Outcome
from agentdog.review import PERSON, apply
from agentdog.spans import call_keys, trajectory_id, whereabouts
from agentdog.store import keys
from agentdog.store.codec import unpack
from agentdog.store.index import Owners
from agentdog.store.journal import Journal
from agentdog.store.link import Command, Link
from agentdog.store.listing import Listing
from agentdog.store.retold import read, sources_of
from agentdog.store.reviews import Reviews
from agentdog.store.rows import Base, Overlay, summarise
from agentdog.store.shapes import Stored, Summary
from agentdog.store.texts import holds, passages
from agentdog.store.words import Words, words_of
from agentdog.trajectory import Step, Trajectory

SMALL = 1 << 15  # bytes of records from which a trajectory is told apart in a few milliseconds
_HOPS = 8  # trajectories taken in by one that was itself taken in; each hop needs a merge of its own


class Reader:
    """Finds trajectories."""

    def __init__(self, link: Link, journal: Journal, listing: Listing) -> None:
        self._link = link
        self._journal = journal
        self._listing = listing
        self._owners = Owners(link)
        self._words = Words(link)
        self._reviews = Reviews(link)

    async def trajectory(self, project: str, trajectory_id: str) -> Trajectory | None:
        """Returns the trajectory under an id, itself; ``None`` when it is gone, was taken in or cannot be read."""
        blob = await self._link.one("HGET", keys.trajectory(project, trajectory_id), "blob")
        return await self._retold(project, blob) if blob else None

    async def get(self, any_id: str, where: Sequence[str]) -> Stored | None:
        """Finds a trajectory by any of its ids, in some projects."""
        for name, owner in (await self._owners.find(where, any_id)).items():
            found = await self.read(name, owner)
            if found is not None:
                return found
        for name in where:
            for owner in await self._indirect(name, any_id):
                found = await self.read(name, owner)
                if found is not None and any(_tells_of(step, any_id) for step in found.trajectory.steps):
                    return found
        return None

    async def search(self, words: str, where: Sequence[str], limit: int) -> tuple[Sequence[Stored], int]:
        """Finds trajectories by words: who holds them newest first, and how many may in all."""
        places: list[tuple[int, str, str]] = []
        for name in where:
            listed = await self._listing.newest_first(name, await self._words.find(name, words))
            places += [(score, name, found) for score, found in listed]
        wanted = list(dict.fromkeys(words_of(words)))
        out: list[Stored] = []
        for _, name, owner in sorted(places, reverse=True):
            stored = await self.read(name, owner)
            texts = passages(stored.trajectory, stored.diagnosis) if stored else []
            if stored and holds("\n".join(passage.text for passage in texts), wanted) == len(wanted):
                out.append(stored)
            if len(out) >= limit:
                break
        return out, len(places) if len(out) >= limit else len(out)

    async def _indirect(self, project: str, any_id: str) -> Sequence[str]:
        """Returns the trajectories that may hold an id which no index leads to: a step's source, a tool call."""
        founded = [trajectory_id(project, unit) for unit in await self._journal.bearers(project, call_keys(any_id))]
        under = whereabouts(project, any_id)
        found = [await self._owners.find([project], each) for each in ([under] if under is not None else []) + founded]
        return list(dict.fromkeys(owner for owners in found for owner in owners.values()))

    async def read(self, project: str, trajectory_id: str) -> Stored | None:
        """Returns what is stored under an id, or under the run that took it in."""
        for _ in range(_HOPS):
            name = keys.trajectory(project, trajectory_id)
            blob, diagnosis, moved = await self._link.one("HMGET", name, "blob", "diagnosis", "moved")
            if blob:
                row = await self.summary(project, trajectory_id, None)
                trajectory = await self._retold(project, blob)
                if row is None or trajectory is None:
                    return None
                said_of_it = await self._reviews.of(project, trajectory_id)
                judged = unpack(diagnosis, Diagnosis) if diagnosis else None
                return Stored(
                    summary=row[0],
                    trajectory=trajectory,
                    diagnosis=apply(judged, said_of_it, blank=blank(trajectory_id, trajectory.digest)),
                    reviews=said_of_it,
                )
            if not moved:
                return None
            trajectory_id = moved.decode()
        return None

    async def _retold(self, project: str, blob: bytes) -> Trajectory | None:
        """Reads a trajectory; None when records that it refers to were deleted, and its text with them."""
        records = [await self._journal.raw(project, source.unit, source.field) for source in sources_of(blob)]
        known = [raw for raw in records if raw is not None]
        return await beside(sum(map(len, known)) < SMALL, read, blob, known) if len(known) == len(records) else None

    def head(self, project: str, trajectory_id: str) -> Command:
        """Returns the command that reads what a list shows of a trajectory, for `summarised`."""
        return ("HMGET", keys.trajectory(project, trajectory_id), "base", "overlay", "rev")

    def summarised(self, answer: Sequence[bytes | None], now: str | None) -> tuple[Summary, int] | None:
        """Returns what a list shows of a trajectory, and how often it was changed; `now`: it changes now."""
        base, overlay, rev = answer
        if not base:
            return None
        head = msgspec.json.decode(base, type=Base)
        over = msgspec.json.decode(overlay, type=Overlay) if overlay else None
        return summarise(head, over, now or head.summary.updated_at), int(rev or 0)

    async def summary(self, project: str, trajectory_id: str, now: str | None) -> tuple[Summary, int] | None:
        """Asks and answers: see `summarised`."""
        return self.summarised(await self._link.one(*self.head(project, trajectory_id)), now)


def blank(trajectory_id: str, version: str) -> Diagnosis:
    """What a person's mark is laid over where no guard has said anything."""
    return Diagnosis(
        trajectory_id=trajectory_id, digest=version, guard=PERSON, verdict=Outcome.NOT_EVALUATED, judged_at=""
    )


def _tells_of(step: Step, any_id: str) -> bool:
    named = {*step.sources, *(call.id for call in step.tool_calls), step.tool_call_id}
    return any_id in named
