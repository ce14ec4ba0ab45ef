"""What a project has learned, in service: kept, activated where it is better, asked, switched off when runs change.

Invariants: no model decides whose figures do not say that it is better; when it is switched off, by whom or by what,
stands in the project's standing; a store that cannot be reached leaves the guard that was asked last.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from time import monotonic

import msgspec

from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.base.errors import NotFoundError, StoreUnavailable, UsageError
from agentdog.guards import Guard
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.learned import Learned, LearnedGuard, decode, drift, encode
from agentdog.guards.embedded.learned.reading import grams, told
from agentdog.guards.embedded.learned.standing import Standing, State, Version
from agentdog.store.contract import Store
from agentdog.store.learned import KEPT
from agentdog.trajectory import Trajectory

_log = logging.getLogger(__name__)
_HOLDS_S = 2.0
"""How long the answer to which guard a project has is held."""


class Learning:
    """Knows which guard judges which project.

    Args:
        store: of models and how they stand.
        guard: the one in use; only the embedded guard learns.
        clock: of decisions.
    """

    def __init__(self, store: Store, guard: Guard, clock: Clock | None = None) -> None:
        self._store = store
        self._guard = guard
        self._clock = clock or SystemClock()
        self._known: dict[str, tuple[float, Guard]] = {}
        self._built: dict[str, LearnedGuard] = {}

    async def guard_for(self, project: str) -> Guard:
        """Returns the guard that judges a project's runs."""
        if not isinstance(self._guard, EmbeddedGuard):
            return self._guard
        known = self._known.get(project)
        if known is not None and monotonic() - known[0] < _HOLDS_S:
            return known[1]
        try:
            guard = await self._look_up(project, self._guard)
        except StoreUnavailable:
            guard = known[1] if known is not None else self._guard
        self._known[project] = (monotonic(), guard)
        return guard

    async def _look_up(self, project: str, base: EmbeddedGuard) -> Guard:
        standing = await self._store.learned(project)
        if standing is None or standing.state != "active" or standing.version is None:
            return base
        built = self._built.get(project)
        if built is not None and built.model.version == standing.version:
            return built
        data = await self._store.learned_model(project, standing.version)
        model = decode(data, f"model {standing.version}") if data else None
        if model is None or model.base != base.info.fingerprint:
            why = "it reads the signals of another version of the embedded guard; learn it anew"
            await self._switch(standing, "outdated", why)
            return base
        self._built[project] = LearnedGuard(base, model)
        return self._built[project]

    async def standing(self, project: str) -> Standing:
        """Says how it stands with a project."""
        found = await self._store.learned(project)
        return found or Standing(project=project, why="nothing was learned yet; see `agentdog learn`")

    async def keep(self, model: Learned, *, activate: bool) -> Standing:
        """Keeps a model, and lets it decide where asked to.

        Raises:
            UsageError: it is to decide and is not better than the guard without it, or reads other signals.
        """
        if activate:
            self._check(Version.of(model))
        await self._store.save_learned_model(model.project, model.version, encode(model))
        standing = await self.standing(model.project)
        others = tuple(v for v in standing.versions if v.version != model.version)
        standing = msgspec.structs.replace(standing, versions=(Version.of(model), *others)[:KEPT])
        await self._store.save_learned(standing)
        return await self.activate(model.project, model.version) if activate else standing

    async def activate(self, project: str, version: str) -> Standing:
        """Lets a version decide from now on; runs are judged by it as they are looked at.

        Raises:
            NotFoundError: there is no such version.
            UsageError: it is not better than the guard without it, or reads other signals.
        """
        standing = await self.standing(project)
        found = next((v for v in standing.versions if v.version == version), None)
        if found is None:
            raise NotFoundError(f"version {version!r}: nothing of that version was learned for {project!r}")
        self._check(found)
        return await self._switch(msgspec.structs.replace(standing, version=version, drift=None), "active", "activated")

    async def off(self, project: str) -> Standing:
        """Lets the guard without it decide from now on."""
        return await self._switch(await self.standing(project), "off", "switched off by an operator")

    def _check(self, version: Version) -> None:
        if not isinstance(self._guard, EmbeddedGuard):
            raise UsageError(
                f"the guard in use is {self._guard.info.name}: only the embedded guard learns from reviews"
            )
        if version.base != self._guard.info.fingerprint:
            raise UsageError(f"version {version.version} reads the signals of another embedded guard; learn it anew")
        if not version.figures.better:
            low, high = version.figures.difference.low, version.figures.difference.high
            raise UsageError(
                f"version {version.version} is not better than the guard without it (F1 differs by {low} to {high}): "
                "it cannot be activated; review more runs and learn again"
            )

    async def saw(self, trajectory: Trajectory, guard: Guard) -> None:
        """Takes note of a run that ended; switches what was learned off when runs are no longer like those it knows."""
        if not isinstance(guard, LearnedGuard) or trajectory.completion == "open":
            return
        project, model = trajectory.project, guard.model
        share = await asyncio.to_thread(_share_new, trajectory, model.ran.places)
        await self._store.saw_run(project, model.version, trajectory.id, share)
        found = drift.test(model.novelty.shares, await self._store.seen_runs(project, model.version))
        standing = await self.standing(project)
        if standing.version != model.version or standing.state != "active":
            return
        if found.drifted:
            why = (
                f"the newest {found.runs} runs hold more new words than the reviewed ones did (median {found.new} "
                f"against {found.before}): its figures no longer speak for it; review some of them and learn again"
            )
            _log.warning("%s: what was learned is switched off: %s", project, why)
            await self._switch(msgspec.structs.replace(standing, drift=found), "drifted", why)
        elif found.runs % 10 == 0:
            await self._store.save_learned(msgspec.structs.replace(standing, drift=found))

    async def _switch(self, standing: Standing, state: State, why: str) -> Standing:
        now = rfc3339(self._clock.now_ns())
        fresh = msgspec.structs.replace(standing, state=state, since=now, why=why)
        await self._store.save_learned(fresh)
        self._known.pop(standing.project, None)
        return fresh


def _share_new(trajectory: Trajectory, known: Mapping[str, object]) -> float:
    return drift.share_new((Counter(grams(told(step))) for step in trajectory.steps), known)
