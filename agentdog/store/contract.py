"""The seam between Redis and the rest: what is written, what is queued, what is read back.

Invariant of the ingest side: ``received = stored + duplicate + rejected + pending`` at every moment, per project.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from agentdog.diagnosis import Alerting, Analysis, Calibration, Diagnosis, Tuning
from agentdog.diagnosis import Review as State
from agentdog.guards import Outcome, Verdict
from agentdog.guards.embedded.learned.standing import Standing
from agentdog.outbound import Delivery
from agentdog.review import Review, Reviewed, Suppression
from agentdog.spans.records import Decoded, Record
from agentdog.store.ages import Aged
from agentdog.store.finding import Kind
from agentdog.store.keys import Lane
from agentdog.store.tokens import AuditEntry, Role, Token
from agentdog.trajectory import Trajectory

DisplayVerdict = Literal["safe", "unsafe", "not_evaluated", "pending"]


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

    `reviewed` is what people, or a suppression rule, made of the run; absent while nobody looked.
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
    since: str | None = None
    until: str | None = None
    order: Literal["newest", "oldest"] = "newest"
    limit: int = 50
    cursor: str | None = None


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


class Store(Protocol):
    """Everything the service asks of Redis. Every method raises `StoreUnavailable` when Redis does not answer."""

    async def append(self, project: str, batch: Decoded) -> Receipt:
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

    async def save_trajectory(
        self, trajectory: Trajectory, aliases: Sequence[str], *, records: int = 0, arrived_ns: int = 0
    ) -> bool:
        """Stores this version unless it is there already, or a later one is; `aliases` are ids that now lead here.

        What is stored waits to be judged from then on; `arrived_ns` is when the oldest change in it arrived.
        `records` is the size of the set that it was woven from: sets only grow, so a smaller one is older. A trajectory
        whose own id is among the aliases is taken in: it leaves the lists, and its id leads here.
        """
        ...

    async def save_diagnosis(
        self, project: str, diagnosis: Diagnosis, *, complete: bool = True, alerting: Alerting = "observe"
    ) -> bool:
        """Stores a diagnosis if its digest is still the trajectory's; False when the trajectory has moved on.

        Each incident that is one to tell of is counted as an alert once; where `alerting` is ``on`` it is told of in
        the feed, and waits in the lane ``send`` as ``alert INCIDENT TRAJECTORY``. An incomplete one (verdicts are still
        to come) reads ``pending`` in lists unless it says unsafe already.
        """
        ...

    async def assignment(self, project: str, trajectory_id: str) -> Assignment | None:
        """Returns a trajectory with what its judge has to know; ``None`` when it is gone or was taken in."""
        ...

    async def review(self, project: str, trajectory_id: str, incident_id: str, state: State) -> bool:
        """Keeps what a person says of an incident and has its trajectory looked at again; False when it is gone."""
        ...

    async def count_asked(self, project: str, trajectory_id: str, number: int) -> None:
        """Counts verdicts that a guard was asked for on behalf of a trajectory."""
        ...

    async def lease(
        self, project: str, guard: str, keys: Sequence[str], *, owner: str, seconds: float
    ) -> Sequence[str]:
        """Takes, or keeps, the right to ask for these prefixes; returns those that nobody else holds."""
        ...

    async def release(self, project: str, guard: str, keys: Sequence[str], *, owner: str) -> None:
        """Gives that right back where there is no verdict to show for it."""
        ...

    async def spend(self, project: str, minute: int, tokens: int) -> None:
        """Counts tokens that guards computed in a minute since the epoch."""
        ...

    async def spent(self, minute: int) -> Mapping[str, int]:
        """Returns the tokens computed in a minute by project; an hour back at most."""
        ...

    async def add_figures(self, figures: Mapping[tuple[str, ...], float]) -> None:
        """Adds to counters that outlive every process: a name and its labels' values → by how much."""
        ...

    async def figures(self) -> Mapping[tuple[str, ...], float]:
        """Returns all such counters."""
        ...

    async def tuning(self, project: str) -> Tuning | None:
        """Returns what was decided about a project's alerts; ``None`` when nothing was."""
        ...

    async def save_tuning(self, project: str, tuning: Tuning) -> None:
        """Decides about a project's alerts from now on."""
        ...

    async def learned(self, project: str) -> Standing | None:
        """Returns how it stands with what a project has learned; ``None`` where nothing was."""
        ...

    async def save_learned(self, standing: Standing) -> None:
        """Decides how it stands; models that it no longer lists are dropped."""
        ...

    async def learned_model(self, project: str, version: str) -> bytes | None:
        """Returns the file of a model that was learned."""
        ...

    async def save_learned_model(self, project: str, version: str, data: bytes) -> None:
        """Keeps the file of a model that was learned."""
        ...

    async def saw_run(self, project: str, version: str, trajectory_id: str, share: float) -> None:
        """Notes the share of words in a run that ended which a model does not know."""
        ...

    async def seen_runs(self, project: str, version: str) -> Sequence[float]:
        """Returns these shares of the newest runs, the oldest first, one per run."""
        ...

    async def calibrations(self) -> Mapping[str, Calibration]:
        """Returns the thresholds that were fitted here, by the fingerprint of their guard."""
        ...

    async def save_calibration(self, calibration: Calibration) -> None:
        """Keeps a guard's threshold; an earlier one of the same guard goes."""
        ...

    async def analyses(self, project: str, trajectory_id: str) -> Sequence[Analysis]:
        """Returns what guards wrote about a run's steps, or are to write."""
        ...

    async def save_analysis(self, analysis: Analysis) -> None:
        """Keeps an analysis; one that is pending is worked on in the lane ``explain``."""
        ...

    async def verdicts(self, project: str, guard: str, keys: Sequence[str]) -> Mapping[str, Verdict]:
        """Returns the stored verdicts among these prefix keys."""
        ...

    async def save_verdicts(
        self, project: str, guard: str, verdicts: Mapping[str, Verdict], run: str | None = None
    ) -> None:
        """Stores verdicts by their prefix keys, so that the same question is never asked twice.

        `run` is the trajectory that asked: when it is deleted, they are.
        """
        ...

    async def list(self, query: Query, within: Collection[str] | None = None) -> Page:
        """Lists trajectories, in order of their start; `within` are the projects that may be seen (None: all)."""
        ...

    async def names(
        self, project: str | None = None, within: Collection[str] | None = None
    ) -> Mapping[str, Mapping[str, int]]:
        """Returns how many runs have each ``agent`` and each ``tool``, the most frequent first."""
        ...

    async def tally(
        self,
        project: str | None,
        facets: Sequence[str],
        spans: Sequence[tuple[int | str, int | str]],
        within: Collection[str] | None = None,
    ) -> Mapping[str, Sequence[int]]:
        """Counts runs per facet in each span of time, low to high in µs, both included."""
        ...

    async def get(
        self, any_id: str, project: str | None = None, within: Collection[str] | None = None
    ) -> Stored | None:
        """Finds a trajectory by its id, an alias, or any trace, span, session or tool-call id in it."""
        ...

    async def search(
        self, words: str, *, project: str | None = None, limit: int = 20, within: Collection[str] | None = None
    ) -> tuple[Sequence[Stored], int]:
        """Finds trajectories whose user texts, title and evidence hold all these words, newest first; and how many may.

        The last word may be the beginning of one. What is returned does hold them; the count is an upper bound.
        """
        ...

    async def versions(self, project: str, trajectory_id: str) -> Sequence[Version]:
        """Returns what diagnoses of a trajectory said, newest first, each once per change."""
        ...

    async def add_review(self, review: Review) -> Review | None:
        """Keeps what a person said, under the next version of its subject; ``None`` when it is there already."""
        ...

    async def reviews(self, project: str, trajectory_id: str) -> Sequence[Review]:
        """Returns all that was said of a run, oldest first; also of one whose telemetry has not come (back) yet."""
        ...

    async def reviewed(self, project: str, *, limit: int, offset: int = 0) -> Sequence[str]:
        """Returns the ids of reviewed runs, last reviewed first."""
        ...

    async def suppressions(self, project: str | None = None) -> Sequence[Suppression]:
        """Returns suppression rules with their counts, whatever their state, oldest first."""
        ...

    async def save_suppression(self, rule: Suppression) -> None:
        """Keeps a suppression rule; later diagnoses of its project follow it while it holds."""
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

    async def feed(self, since: str | None, *, limit: int = 100) -> FeedPage:
        """Returns events after a cursor; ``None`` starts at the newest."""
        ...

    async def projects(self) -> Mapping[str, Mapping[str, int]]:
        """Per project: counts of trajectories by displayed verdict."""
        ...

    async def accounting(self) -> Mapping[str, Mapping[str, int]]:
        """Per project: received, stored, duplicate, rejected, pending."""
        ...

    async def audit(self) -> Mapping[str, Mapping[str, int]]:
        """Counts the records that really lie in the journal, per project: ``records``, ``units``. Reads every key."""
        ...

    async def sample(self, units: int) -> Sequence[Record]:
        """Returns the records of up to so many units of any project, for ``doctor`` to look at."""
        ...

    async def ping(self) -> Mapping[str, str | int | bool]:
        """Asks the server for version, persistence, memory and policy, for readiness and ``doctor``."""
        ...

    async def tokens(self) -> Mapping[str, Token]:
        """Returns every bearer token by its id."""
        ...

    async def token(self, identity: str) -> Token | None:
        """Returns one bearer token by its id."""
        ...

    async def add_token(
        self, name: str, role: Role, projects: Sequence[str] = (), expires: str | None = None
    ) -> tuple[Token, str]:
        """Makes a token; returns it with its text, which is kept nowhere."""
        ...

    async def revoke_token(self, identity: str) -> bool:
        """Removes a token; False when there is none of that id."""
        ...

    async def record_access(self, entry: AuditEntry) -> None:
        """Appends to the audit log; the time is the store's."""
        ...

    async def audit_log(self, limit: int = 100) -> Sequence[AuditEntry]:
        """Returns the audit log's newest entries."""
        ...

    async def close(self) -> None:
        """Closes all connections."""
        ...


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
