"""The seam between Redis and the rest: what is written, what is queued, what is read back.

Invariant of the ingest side: ``received = stored + duplicate + rejected + pending`` at every moment, per project.
What is taken and given is in `agentdog.store.shapes`; what moves through the store is in `contract_flow`, what is kept
and read back is here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from agentdog.attribution import Asked
from agentdog.diagnosis import Alerting, Analysis, Calibration, Diagnosis, Tuning
from agentdog.diagnosis import Review as State
from agentdog.guards import Verdict
from agentdog.guards.embedded.learned.standing import Standing
from agentdog.review import Review, Suppression
from agentdog.spans.records import Record
from agentdog.store.contract_flow import Flow
from agentdog.store.recent import Slot
from agentdog.store.saved import SavedView
from agentdog.store.shapes import (
    Assignment,
    DeadLetter,
    DisplayVerdict,
    Erased,
    FeedEvent,
    FeedPage,
    Order,
    Page,
    Query,
    Receipt,
    Refusal,
    Sort,
    Stored,
    Summary,
    Version,
    Waiting,
    Work,
    display_verdict,
)
from agentdog.store.tokens import AuditEntry, Role, Token
from agentdog.trajectory import Trajectory

__all__ = [
    "Assignment",
    "DeadLetter",
    "DisplayVerdict",
    "Erased",
    "FeedEvent",
    "FeedPage",
    "Order",
    "Page",
    "Query",
    "Receipt",
    "Refusal",
    "Sort",
    "Store",
    "Stored",
    "Summary",
    "Version",
    "Waiting",
    "Work",
    "display_verdict",
]


class Store(Flow, Protocol):
    """Everything the service asks of Redis. Every method raises `StoreUnavailable` when Redis does not answer."""

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

    async def recent(self, now_s: float, seconds: int) -> Sequence[Slot]:
        """Returns some counters of the last seconds by time, oldest first."""
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

    async def attributions(self, project: str, trajectory_id: str) -> Sequence[Asked]:
        """Returns what was asked about why a run's steps came about, with the answers that are there."""
        ...

    async def save_attribution(self, asked: Asked) -> None:
        """Keeps one, the newest of its step and target; pending, it is worked on in the lane ``explain``."""
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

    async def saved_views(self) -> Sequence[SavedView]:
        """Returns all saved views of the list, by project and name."""
        ...

    async def save_view(self, view: SavedView, *, replace: bool) -> bool:
        """Keeps a view; False where one of its name is there and `replace` does not say that it may go."""
        ...

    async def delete_views(self, project: str | None, names: Collection[str]) -> int:
        """Removes views of a project (``None``: of all) by name; returns how many were there."""
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
