"""Guards one behind the other: ``cascade:STAGE>STAGE>...``, a cheap one first, a dearer one for what is left.

The rule: the next stage is asked for what a stage calls unsafe, could not evaluate, or, with ``@P`` behind the stage,
gives a P(unsafe) of at least P. The last stage that answered decides; one that names labels only is asked for what is
unsafe alone, and adds them. A stage that fails leaves the verdict before it standing, and the verdict says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from agentdog.base.errors import GuardUnavailable
from agentdog.base.ids import digest
from agentdog.guards.protocol import Analyses, Guard, GuardInfo, GuardSession, Health, Written
from agentdog.guards.verdict import Outcome, Verdict, kept
from agentdog.trajectory import Header, Step

_BOUND = re.compile(r"(?P<uri>.*)@(?P<bound>0(?:\.\d+)?|1(?:\.0+)?)")


class Stage(NamedTuple):
    """A guard, and the P(unsafe) from which the next one is asked; without it, what is unsafe goes on."""

    guard: Guard
    bound: float | None = None

    def goes_on(self, verdict: Verdict) -> bool:
        """Tells whether the next stage is to be asked."""
        if self.bound is not None and verdict.p_unsafe is not None:
            return verdict.p_unsafe >= self.bound
        return verdict.outcome is not Outcome.SAFE


class Cascade:
    """Asks its stages in turn."""

    def __init__(self, uri: str, stages: Sequence[Stage]) -> None:
        self.stages = tuple(stages)
        infos = [stage.guard.info for stage in self.stages]
        self._info = GuardInfo(
            name=" > ".join(info.name for info in infos),
            uri=uri,
            fingerprint=digest("cascade", *(f"{s.guard.info.fingerprint}@{s.bound}" for s in self.stages), size=8),
            pack=" > ".join(info.pack or "none" for info in infos),
            wording=" > ".join(info.wording or "none" for info in infos),
            layout=" > ".join(info.layout or "none" for info in infos),
            note="; ".join(dict.fromkeys(info.note for info in infos if info.note)) or None,
            served=any(info.served for info in infos),
        )

    @classmethod
    def from_uri(cls, uri: str, build: Callable[[str, bool], Guard]) -> Cascade:
        """Builds the stages with `build`, which is told for each whether it may be one that names labels only.

        Raises:
            GuardUnavailable: there are fewer than two stages.
        """
        written = [part.strip() for part in uri.removeprefix("cascade:").split(">")]
        if len(written) < 2 or not all(written):
            raise GuardUnavailable(
                f"guard {uri!r}: write cascade:STAGE>STAGE, for example cascade:embedded@0.05>server:..."
            )
        stages = []
        for at, text in enumerate(written):
            found = _BOUND.fullmatch(text)
            place, bound = (found["uri"], float(found["bound"])) if found else (text, None)
            stages.append(Stage(build(place, at == len(written) - 1), bound))
        return cls(uri, stages)

    @property
    def info(self) -> GuardInfo:
        """Who it is."""
        return self._info

    def open(self, header: Header) -> CascadeSession:
        """Starts a session at every stage."""
        return CascadeSession(self, [stage.guard.open(header) for stage in self.stages])

    async def health(self) -> Health:
        """Asks every stage; the first that would not answer speaks for all."""
        found = [await stage.guard.health() for stage in self.stages]
        worst = next((health for health in found if not health.ok), None)
        return worst or Health(ok=True, detail=" > ".join(health.detail for health in found))

    async def close(self) -> None:
        """Closes every stage."""
        for stage in self.stages:
            await stage.guard.close()


class CascadeSession:
    """One trajectory in front of every stage."""

    def __init__(self, cascade: Cascade, sessions: Sequence[GuardSession]) -> None:
        self._cascade = cascade
        self._sessions = sessions

    def extend(self, step: Step) -> None:
        """Appends one step; asks nothing."""
        for session in self._sessions:
            session.extend(step)

    async def verdict(self) -> Verdict:
        """Judges the prefix that ends in the last step."""
        verdict = await self._sessions[0].verdict()
        behind = [stage.guard for stage in self._cascade.stages[1:]]
        for stage, guard, session in zip(self._cascade.stages, behind, self._sessions[1:], strict=False):
            if not stage.goes_on(verdict) or (guard.info.labels_only and verdict.outcome is not Outcome.UNSAFE):
                break
            verdict = _joined(verdict, await session.verdict())
        return msgspec.structs.replace(verdict, guard=self._cascade.info.fingerprint)

    async def analysis(self, verdict: Verdict) -> Written:
        """Has the last stage that can write say why: behind a guard of verdicts, that is the diagnoser."""
        for session in reversed(self._sessions):
            if isinstance(session, Analyses):
                return await session.analysis(verdict)
        raise GuardUnavailable("no stage of this cascade writes analyses")


def _joined(before: Verdict, after: Verdict) -> Verdict:
    """Puts two stages' answers together: the later decides where it can, the earlier's evidence is kept."""
    spent, raw = before.latency_ms + after.latency_ms, kept(before.raw, after.raw)
    if after.outcome is Outcome.NOT_EVALUATED and before.outcome is not Outcome.NOT_EVALUATED:
        told = "; ".join(filter(None, (before.detail, f"next stage: {after.reason} ({after.detail})")))
        return msgspec.structs.replace(before, detail=told, latency_ms=spent, raw=raw)
    return msgspec.structs.replace(
        after,
        p_unsafe=before.p_unsafe if after.p_unsafe is None else after.p_unsafe,
        labels=after.labels or (before.labels if after.outcome is Outcome.UNSAFE else None),
        evidence=(*after.evidence, *before.evidence),
        latency_ms=spent,
        raw=raw,
    )
