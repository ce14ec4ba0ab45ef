"""What passes over the seam between Redis and the rest: receipts, work, rows, pages, events. Plain values, no I/O.

One file, since it is one flat list of shapes; `agentdog.store.contract` says who takes and gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentdog.diagnosis import Diagnosis
from agentdog.diagnosis import Review as State
from agentdog.guards import Outcome
from agentdog.review import Review, Reviewed
from agentdog.store.keys import Lane
from agentdog.trajectory import Trajectory

DisplayVerdict = Literal["safe", "unsafe", "not_evaluated", "pending"]
#: What a list is ordered by, and from which end: `newest` and `highest` are the same.
Sort = Literal["start", "p_unsafe", "steps", "duration"]
Order = Literal["newest", "oldest", "highest", "lowest"]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request: records newly stored, seen before, refused."""

    stored: int
    duplicate: int
    rejected: int


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Something that changed and waits: a unit to be woven, or a trajectory to be judged; acknowledged by `token`.

    `arrived_ns` is when the oldest change in it arrived.
    """

    project: str
    unit: str
    token: str
    deliveries: int = 1
    lane: Lane = "weave"
    arrived_ns: int = 0


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, or is worked on, in one lane: how many, and since when the oldest (ns since the epoch).

    `later` is how many are to be looked at again at a time of their own: open runs, what a guard did not answer.
    """

    units: int
    later: int = 0
    oldest_ns: int | None = None


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A trajectory as it stands, with what the judge has to know.

    Attributes:
        diagnosis: the last one, of this version or an earlier one.
        reviews: what people said of its incidents, by incident id.
        asked: verdicts that a guard was asked for so far, over all versions.
    """

    trajectory: Trajectory
    diagnosis: Diagnosis | None = None
    reviews: Mapping[str, State] = {}
    asked: int = 0


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A unit given up after `attempts` tries: the last error, and when (RFC 3339); `id` is good for `Store.replay`."""

    id: str = ""
    project: str
    unit: str
    attempts: int
    error: str
    time: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A span or record that was refused: which (``traceid:spanid`` as far as known), why, and when (RFC 3339)."""

    project: str
    id: str
    reason: str
    time: str


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted, or would be: runs, traces and sessions, records; and the ids of the runs."""

    runs: tuple[str, ...] = ()
    units: int = 0
    records: int = 0


class Summary(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One row of the list of trajectories. Labels are those of the first open incident; times RFC 3339.

    `reviewed` is what people, or a suppression rule, made of the run; absent while nobody looked. `open` counts the
    incidents that nobody has confirmed or dismissed yet.
    """

    id: str
    project: str
    title: str
    agents: tuple[str, ...]
    verdict: DisplayVerdict
    p_unsafe: float | None = None
    risk_source: str | None = None
    failure_mode: str | None = None
    real_world_harm: str | None = None
    incidents: int
    open: int = 0
    steps: int
    completion: str
    missing: tuple[str, ...] = ()
    session_id: str | None = None
    tools: tuple[str, ...] = ()
    reviewed: Reviewed | None = None
    start_time: str
    end_time: str
    updated_at: str


class Stored(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One trajectory with what we say about it; ``diagnosis`` is absent until the first verdict.

    The diagnosis is as people left it; `reviews` is all that they said, oldest first.
    """

    summary: Summary
    trajectory: Trajectory
    diagnosis: Diagnosis | None = None
    reviews: tuple[Review, ...] = ()


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A filter over trajectories: all given fields must match; `cursor` is the previous page's `next`, in one order."""

    project: str | None = None
    verdict: DisplayVerdict | None = None
    risk_source: str | None = None
    failure_mode: str | None = None
    real_world_harm: str | None = None
    agent: str | None = None
    tool: str | None = None
    reviewed: Literal["yes", "no"] | None = None
    open: Literal["yes"] | None = None
    since: str | None = None
    until: str | None = None
    sort: Sort = "start"
    order: Order = "newest"
    limit: int = 50
    cursor: str | None = None

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self.order in ("newest", "highest")


class Page(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One page of a list."""

    items: tuple[Summary, ...]
    next: str | None = None


class Version(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one diagnosis of a trajectory said, kept when a later one said otherwise. Times RFC 3339."""

    judged_at: str
    digest: str
    guard: str
    verdict: DisplayVerdict
    p_unsafe: float | None = None
    incidents: int = 0
    onset: int | None = None


class FeedEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something happened: a trajectory changed, was judged, an incident was opened, people are to be alerted of one.

    An incident is opened once, and alerts once.
    """

    cursor: str
    type: Literal["trajectory.updated", "diagnosis.updated", "incident.opened", "alert.raised", "review.updated"]
    project: str
    trajectory_id: str
    time: str
    verdict: DisplayVerdict | None = None
    title: str | None = None
    incident_id: str | None = None


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events after a cursor, oldest first; ask again from `cursor`."""

    cursor: str
    events: tuple[FeedEvent, ...]


def display_verdict(diagnosis: Diagnosis | None) -> DisplayVerdict:
    """What a list shows: ``pending`` until something was judged."""
    if diagnosis is None:
        return "pending"
    shown: dict[Outcome, DisplayVerdict] = {
        Outcome.SAFE: "safe",
        Outcome.UNSAFE: "unsafe",
        Outcome.NOT_EVALUATED: "not_evaluated",
    }
    return shown[diagnosis.verdict]
