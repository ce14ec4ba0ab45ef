"""The first half of `agentdog.store.contract`: what comes in, what is queued, sent on, deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from agentdog.outbound import Delivery
from agentdog.spans.records import Received, Record
from agentdog.store.ages import Aged
from agentdog.store.finding import Kind
from agentdog.store.keys import Lane
from agentdog.store.shapes import (
    DeadLetter,
    Erased,
    Receipt,
    Refusal,
    Waiting,
    Work,
)


class Flow(Protocol):
    """What goes through the store. Every method raises `StoreUnavailable` when Redis does not answer."""

    async def append(self, project: str, batch: Received) -> Receipt:
        """Writes one request's records and its counters atomically per unit; once it returns, they are durable."""
        ...

    async def claim(self, consumer: str, *, count: int, block_ms: int, lane: Lane = "weave") -> Sequence[Work]:
        """Waits for what changed: new, due again, or of a worker that died."""
        ...

    async def done(self, work: Sequence[Work]) -> None:
        """Acknowledges work whose effects are stored."""
        ...

    async def extend(self, consumer: str, work: Sequence[Work]) -> None:
        """Keeps claims from being taken over while they are still worked on."""
        ...

    async def fail(self, work: Work, error: str, *, limit: int) -> bool:
        """Gives a unit another try, or lays it with the dead letters after `limit` tries; True when given up."""
        ...

    async def revisit(self, project: str, unit: str, due_ns: int, *, lane: Lane = "weave") -> None:
        """Queues the unit again at a time in nanoseconds since the epoch; a later call replaces this one."""
        ...

    async def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        """Returns the units given up, newest first."""
        ...

    async def replay(self, letters: Sequence[DeadLetter]) -> int:
        """Queues dead letters again as if they were new; returns how many were still there."""
        ...

    async def refusals(self, projects: Sequence[str], limit: int = 100) -> Sequence[Refusal]:
        """Returns these projects' refused records that are still listed, newest first."""
        ...

    async def depth(self, lane: Lane | None = None) -> int:
        """Returns how much waits or is being worked on, in one lane or in all."""
        ...

    async def waiting(self) -> Mapping[Lane, Waiting]:
        """Returns what waits in each lane, and for how long."""
        ...

    async def erase(self, project: str, units: Collection[str], *, dry_run: bool = False) -> Erased:
        """Deletes the runs that units belong to, with all that tells of them; `dry_run`: says what that would be."""
        ...

    async def erase_if_older(self, project: str, unit: str, before_ms: int) -> Erased | None:
        """Deletes a unit's run where all of it arrived before a time; ``None`` where something of it is younger."""
        ...

    async def leftovers(self, project: str, trajectory_id: str, units: Sequence[str] = ()) -> bool:
        """Takes back what was written about a run that was deleted meanwhile; whoever writes about one asks this last.

        `units` are those it was woven from. True when it was deleted.
        """
        ...

    async def sweep(self, project: str) -> int:
        """Removes ids that lead to runs which are no more; returns how many."""
        ...

    async def oldest(self, limit: int, before_ms: int) -> Sequence[Aged]:
        """Returns units whose newest record arrived before a time and that do not wait to be woven, oldest first."""
        ...

    async def adopt(self, now_ms: int) -> int:
        """Gives an age to units that an earlier version stored; returns how many."""
        ...

    async def reindex(self) -> int:
        """Lets runs be found by what an earlier release did not index, once per store; returns how many it read."""
        ...

    async def units_where(self, project: str, kind: Kind, values: Collection[str]) -> Sequence[str]:
        """Returns the units that name one of these as their session, or their user. Reads every record."""
        ...

    async def hold(self, name: str, owner: str, seconds: float) -> bool:
        """Takes, or keeps, the right to do what one process does at a time."""
        ...

    async def rewrite_log(self) -> bool:
        """Has the server write its log anew, without what was deleted; False where it cannot be told to."""
        ...

    async def progress(self) -> Mapping[Lane, int]:
        """Returns when something of each lane was finished last (ns); lanes of which nothing ever was are absent."""
        ...

    async def gather(self, project: str, unit: str) -> Sequence[Record]:
        """Returns all records of the unit and of every unit joined to it by a shared session, call or response id."""
        ...

    async def trim(self, project: str, unit: str) -> None:
        """Writes what the unit's records repeat of each other once; call it when what was gathered is woven."""
        ...

    async def enqueue(self, project: str, units: Sequence[str]) -> None:
        """Has units of the lane ``send`` worked on, unless they wait already."""
        ...

    async def save_delivery(self, delivery: Delivery) -> None:
        """Keeps what became of a message so far."""
        ...

    async def delivery(self, project: str, trajectory_id: str, delivery_id: str) -> Delivery | None:
        """Returns what became of one message."""
        ...

    async def deliveries(self, projects: Sequence[str], limit: int, *, unsent: bool = False) -> Sequence[Delivery]:
        """Returns the messages last tried; with `unsent` those that wait or were given up."""
        ...

    async def unsent(self, projects: Sequence[str]) -> int:
        """Counts messages that wait or were given up."""
        ...

    async def told(self, project: str, trajectory_id: str) -> Mapping[str, str]:
        """Returns which verdicts of a run were sent: step id → mark."""
        ...

    async def save_told(self, project: str, trajectory_id: str, marks: Mapping[str, str]) -> None:
        """Notes which verdicts were sent."""
        ...

    async def may_send(self, target: str, minute: int, limit: int) -> bool:
        """Counts a message to a place in a minute since the epoch; False when that minute has had enough."""
        ...
