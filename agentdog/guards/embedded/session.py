"""One trajectory in front of the embedded guard: findings gathered step by step, combined into a verdict.

Invariant: the verdict depends on the prefix alone; extending a session step by step and rebuilding it give the same.
Extending costs time linear in the step, not in the trajectory.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from agentdog.guards.embedded.detectors import Detector
from agentdog.guards.embedded.forking import forked
from agentdog.guards.embedded.looks import Look, looks
from agentdog.guards.embedded.model import Model
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.signals import read
from agentdog.guards.embedded.turn import Turn
from agentdog.guards.verdict import Evidence, Labels, Outcome, Reason, Verdict
from agentdog.trajectory import Step

MAX_EVIDENCE = 16
"""Pieces of evidence that one verdict shows, heaviest first."""
_LOST = frozenset({"content", "arguments", "result"})


class EmbeddedSession:
    """Keeps the scene and the findings so far."""

    def __init__(
        self, fingerprint: str, scene: Scene, detectors: Sequence[Detector], model: Model, threshold: float
    ) -> None:
        self._fingerprint = fingerprint
        self._scene = scene
        self._arrivals = scene.header.arrivals()
        self._detectors = detectors
        self._model = model
        self._threshold = threshold
        self._length = 0
        self.seconds = 0.0
        self._blind_steps = 0
        self._last: Step | None = None
        self._p = model.floor
        self._unsafe: list[Evidence] = []
        self._doubts: list[Evidence] = []
        self.signals: list[tuple[int, dict[str, float]]] = []
        self.looking = False
        self.looks: tuple[Look, ...] = ()

    @property
    def p_unsafe(self) -> float:
        """P(unsafe) of the prefix: that of its highest step."""
        return self._p

    @property
    def threshold(self) -> float:
        """P(unsafe) from which a prefix is unsafe."""
        return self._threshold

    def fork(self) -> EmbeddedSession:
        """Returns a session at the same prefix; what is shown to one the other does not see."""
        return forked(self)

    def extend(self, step: Step) -> None:
        """Takes in one step; an agent's words and calls are looked at against everything before them."""
        started = time.perf_counter()
        index = self._length
        if index in self._arrivals:
            self._scene.meet(self._arrivals[index])
        if step.role == "user":
            self._scene.hear_user(step, index)
        elif step.role == "environment":
            self._scene.see(step, index)
        else:
            turn = self._scene.turn(step, index)
            self._judge(turn)
            self._scene.remember(turn, step)
        self._length += 1
        self._last = step
        self._blind_steps += is_blind(step)
        self.seconds = time.perf_counter() - started

    def _judge(self, turn: Turn) -> None:
        found = [e for d in self._detectors for e in d.find(turn, self._scene)]
        signals = read(turn, self._scene, found)
        p = self._model.p(signals, max((e.weight for e in found), default=0.0))
        self._p = max(self._p, p)
        self.signals.append((turn.index, signals))
        if self.looking:
            self.looks = looks(turn, self._scene, self._detectors, found)
        # Only what crosses the threshold in its own step is evidence of an unsafe prefix: the rest was doubt.
        (self._unsafe if p >= self._threshold else self._doubts).extend(e for e in found if e.weight > 0)

    async def verdict(self) -> Verdict:
        """Judges the prefix so far; local, never fails."""
        started = time.perf_counter()
        unsafe = self._p >= self._threshold
        evidence = _heaviest(self._unsafe if unsafe else self._doubts)
        unseen = None if unsafe else self._unseen()
        latency = round((time.perf_counter() - started + self.seconds) * 1000, 3)
        if unseen is not None:
            reason, detail = unseen
            return Verdict(
                outcome=Outcome.NOT_EVALUATED,
                guard=self._fingerprint,
                reason=reason,
                detail=detail,
                latency_ms=latency,
            )
        return Verdict(
            outcome=Outcome.UNSAFE if unsafe else Outcome.SAFE,
            guard=self._fingerprint,
            p_unsafe=round(self._p, 4),
            labels=primary_labels(evidence) if unsafe else None,
            axes=ranked_labels(evidence) if unsafe else None,
            evidence=evidence,
            detail=f"the telemetry did not carry the content of {self._blind_steps} of {self._length} steps"
            if self._blind_steps
            else None,
            latency_ms=latency,
        )

    def _unseen(self) -> tuple[Reason, str] | None:
        """Why the last step cannot be called safe: there was nothing to look at."""
        if self._last is None:
            return Reason.NO_CONTENT, "there is no step yet"
        if self._blind_steps == self._length:
            return (
                Reason.NO_CONTENT,
                "the telemetry carries no content at all; switch content capture on in the agent's instrumentation",
            )
        if is_blind(self._last):
            lost = ", ".join(sorted(_LOST & set(self._last.missing))) or "content"
            return Reason.NO_CONTENT, f"the telemetry did not carry this step's {lost}; switch content capture on"
        if self._last.role == "agent" and not self._scene.request.known and not self._scene.ledger.names:
            return Reason.OUT_OF_SCOPE, "no request is known and nothing was called: there is nothing to compare"
        return None


def is_blind(step: Step) -> bool:
    """Whether the telemetry lost what a guard would judge: a call's arguments, or all text of the step."""
    lost = _LOST & set(step.missing)
    if "arguments" in lost and any(not c.arguments and not c.arguments_raw for c in step.tool_calls):
        return True
    readable = step.text or step.error or any(c.arguments or c.arguments_raw for c in step.tool_calls)
    return bool(lost) and not readable


def _heaviest(found: Sequence[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda e: (-e.weight, e.step, e.detector))[:MAX_EVIDENCE])


def primary_labels(evidence: Sequence[Evidence]) -> Labels:
    """One label per axis: failure and harm of the heaviest evidence, the source of the heaviest that names one.

    The risk source is "the earliest factor that introduces the unsafe condition" (arXiv 2604.02022 App. B.1): evidence
    that points at an earlier step knows more of it than evidence that does not.
    """
    labelled = [e for e in evidence if e.labels]
    if not labelled:
        return Labels()
    heaviest = labelled[0].labels or Labels()
    outside = next((e.labels for e in labelled if e.source_step is not None and e.labels), heaviest)
    return Labels(
        risk_source=outside.risk_source,
        failure_mode=heaviest.failure_mode,
        real_world_harm=heaviest.real_world_harm,
    )


def ranked_labels(evidence: Sequence[Evidence]) -> dict[str, dict[str, float]] | None:
    """Every label that the evidence speaks for, per axis, with its share of the evidence's weight; likeliest first."""
    ranked: dict[str, dict[str, float]] = {}
    for axis in ("risk_source", "failure_mode", "real_world_harm"):
        weights: dict[str, float] = {}
        for piece in evidence:
            if piece.labels and (label := getattr(piece.labels, axis)):
                weights[label] = max(piece.weight, weights.get(label, 0.0))
        total = sum(weights.values())
        if total:
            ordered = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))
            ranked[axis] = {label: round(weight / total, 4) for label, weight in ordered}
    return ranked or None
