"""`RedisStore`: the store's contract, composed of its parts; nothing is decided here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agentdog.attribution import Asked
from agentdog.diagnosis import Alerting, Analysis, Calibration, Diagnosis, Tuning
from agentdog.diagnosis import Review as State
from agentdog.guards import Verdict
from agentdog.guards.embedded.learned.standing import Standing
from agentdog.review import Review, Suppression
from agentdog.spans.records import Record
from agentdog.store import accounting, server_info
from agentdog.store.contract import (
    Assignment,
    FeedPage,
    Page,
    Query,
    Stored,
    Version,
)
from agentdog.store.recent import Slot
from agentdog.store.redis_flow import RedisFlow
from agentdog.store.saved import SavedView
from agentdog.store.tokens import AuditEntry, Role, Token
from agentdog.trajectory import Trajectory


class RedisStore(RedisFlow):
    """Implements `agentdog.store.contract.Store` on Redis ≥ 7 or Valkey.

    Args:
        link: the server.
        lease_s: silence after which a worker's claims are taken over.
        verdict_ttl_s: how long a verdict is remembered.
        feed_events: events kept.
        clock: source of every stored time.
        memory: of what was read; whoever weaves what is gathered shares it.
    """

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
        # The totals last: where one of the two fails both are tried again, and a strip may err rather than a total.
        await self._recent.add(figures, self._clock.now_ns() / 1e9)
        await self._figures.add(figures)

    async def figures(self) -> Mapping[tuple[str, ...], float]:
        """See `Figures.read`."""
        return await self._figures.read()

    async def recent(self, now_s: float, seconds: int) -> Sequence[Slot]:
        """See `Recent.read`."""
        return await self._recent.read(now_s, seconds)

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

    async def saved_views(self) -> Sequence[SavedView]:
        """See `SavedViews.all`."""
        return await self._saved_views.all()

    async def save_view(self, view: SavedView, *, replace: bool) -> bool:
        """See `SavedViews.save`."""
        return await self._saved_views.save(view, replace=replace)

    async def delete_views(self, project: str | None, names: Collection[str]) -> int:
        """See `SavedViews.delete`."""
        return await self._saved_views.delete(project, names)

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
