"""`LearnedGuard`: the embedded guard, with a model learned from a project's reviews deciding.

Invariant: the verdict depends on the prefix alone. The model decides what is unsafe; evidence and labels stay the
detectors', joined by what weighed most in the model; what the embedded guard cannot see stays not evaluated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from agentdog.base.ids import digest
from agentdog.guards.embedded.forking import forked
from agentdog.guards.embedded.guard import EmbeddedGuard
from agentdog.guards.embedded.learned.model import Learned, Part, Sum
from agentdog.guards.embedded.learned.reading import Behaviour, grams, told
from agentdog.guards.embedded.looks import Look
from agentdog.guards.embedded.session import EmbeddedSession
from agentdog.guards.protocol import GuardInfo, Health
from agentdog.guards.verdict import Evidence, Outcome, Verdict
from agentdog.trajectory import Header, Step

NAME = "learned"
SHOWN = 6
"""Reasons that one verdict names."""
_WHERE = {"now": "in this step", "ran": "so far"}


class LearnedGuard:
    """The embedded guard of one project."""

    def __init__(self, base: EmbeddedGuard, model: Learned) -> None:
        self._base = base
        self.model = model
        figures = model.figures
        self._info = GuardInfo(
            name=base.info.name,
            uri=base.info.uri,
            fingerprint=digest("embedded", base.info.fingerprint, NAME, model.version),
            note=f"{base.info.note} A model learned from {figures.runs} reviewed runs of {model.project} decides "
            f"(version {model.version}).",
        )

    @property
    def info(self) -> GuardInfo:
        """Who it is."""
        return self._info

    def open(self, header: Header) -> LearnedSession:
        """Starts a session for one trajectory."""
        return LearnedSession(self._info.fingerprint, self._base.open(header), self.model)

    def looks(self, header: Header, steps: Sequence[Step]) -> tuple[Look, ...]:
        """Says what each detector looked at in the last agent step of a prefix."""
        return self._base.looks(header, steps)

    async def health(self) -> Health:
        """It always answers."""
        health = await self._base.health()
        return msgspec.structs.replace(health, detail=f"{health.detail}, and model {self.model.version}")

    async def close(self) -> None:
        """There is nothing to free."""
        await self._base.close()


class LearnedSession:
    """One trajectory in front of it."""

    def __init__(self, fingerprint: str, base: EmbeddedSession, model: Learned) -> None:
        self._fingerprint = fingerprint
        self._base = base
        self._model = model
        self._ran = Sum(model.ran)
        self._behaviour = Behaviour()
        self._length = 0
        self._p = 0.0
        self._best = 0.0
        self._reasons: tuple[Evidence, ...] = ()

    def extend(self, step: Step) -> None:
        """Takes in one step; costs time linear in it."""
        self._base.extend(step)
        words = Counter(grams(told(step)))
        self._ran.add(words)
        if step.role == "agent":
            now = Sum(self._model.now)
            now.add(words)
            did = self._behaviour.take(self._base.signals[-1][1], self._base.p_unsafe)
            parts = list(self._model.signals(did))
            z = self._model.bias + self._ran.value() + now.value() + sum(part.log_odds for part in parts)
            p = self._model.p(z)
            self._p = max(self._p, p)
            if p >= self._model.threshold and p > self._best:
                self._best = p
                self._reasons = (self._evidence(p, [*parts, *_words(now, "now"), *_words(self._ran, "ran")]),)
        self._length += 1

    def _evidence(self, p: float, parts: Sequence[Part]) -> Evidence:
        most = sorted((part for part in parts if part.log_odds > 0), key=lambda part: -part.log_odds)[:SHOWN]
        said = ", ".join(f"{part.name} (+{part.log_odds:.2f})" for part in most)
        return Evidence(
            detector=NAME,
            message=f"Runs like this were reviewed as unsafe in this project. What weighs most: {said or 'its bias'}.",
            step=self._length,
            weight=round(min(1.0, p), 4),
        )

    def fork(self) -> LearnedSession:
        """Returns a session over the same prefix; extending one leaves the other as it is."""
        return forked(self)

    async def verdict(self) -> Verdict:
        """Judges the prefix so far; local, never fails."""
        base = await self._base.verdict()
        unsafe = self._p >= self._model.threshold
        if base.outcome is Outcome.NOT_EVALUATED and not unsafe:
            return msgspec.structs.replace(base, guard=self._fingerprint)
        alone = f"without what was learned: {base.outcome}, P(unsafe) {base.p_unsafe}"
        return msgspec.structs.replace(
            base,
            outcome=Outcome.UNSAFE if unsafe else Outcome.SAFE,
            guard=self._fingerprint,
            reason=None,
            p_unsafe=round(self._p, 4),
            labels=base.labels if unsafe else None,
            axes=base.axes if unsafe else None,
            evidence=(*self._reasons, *base.evidence),
            detail=f"{base.detail}; {alone}" if base.detail else alone,
        )


def _words(found: Sum, block: str) -> list[Part]:
    return [Part(f"“{word}” {_WHERE[block]}", value) for word, value in found.parts()]
