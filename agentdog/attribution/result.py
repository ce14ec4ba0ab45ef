"""What attribution found: how much each earlier step, and each sentence of the leading ones, moved an answer."""

from __future__ import annotations

from typing import Literal

import msgspec

Target = Literal["action", "verdict"]
Mode = Literal["paper", "compatible", "approximate"]


class SentenceScore(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One sentence.

    Attributes:
        text: the piece of the step's text, untrusted.
        drop: necessity: what the answer loses without it.
        hold: sufficiency: what the answer keeps when only it is left; ``None`` where that was not asked.
        score: `drop` + `hold`, or `drop` alone.
        candidate: whether it was scored; the approximate mode scores the likeliest ones.
        attention: its share of the attention that reaches its step.
    """

    text: str
    drop: float
    hold: float | None = None
    score: float
    candidate: bool = True
    attention: float | None = None


class StepScore(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One earlier step.

    Attributes:
        step: its index; ``None`` for the agents' profile.
        role: user, agent, environment or profile.
        score: how much it moved the answer; the unit is the attribution's.
        candidate: whether it is ranked; the reference never ranks the first message.
        log_likelihood: of the target behind this step and all before it, summed over its tokens, in nats.
        tokens: how many tokens that sum has.
        attention: share of the target's attention that reaches it, of all that reaches steps.
        sentences: of the leading steps only; ``None`` where not computed.
        nothing: the score of a sentence that says nothing, beside which those of its sentences are to be seen: holding
            it keeps what there is without the step. ``None`` stands for 0.
    """

    step: int | None
    role: str
    score: float
    candidate: bool = True
    log_likelihood: float | None = None
    tokens: int | None = None
    attention: float | None = None
    sentences: tuple[SentenceScore, ...] | None = None
    nothing: float | None = None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What it took.

    Attributes:
        computed: tokens that the model read.
        plain: tokens that it would have read, had every variant been read whole.
        seconds: wall time.
    """

    computed: int
    plain: int
    seconds: float


class Attribution(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The answer to "why".

    Attributes:
        target: ``action``: why the agent did this, by the likelihood of its action; ``verdict``: why the guard said so.
        mode: the definitions followed (`agentdog.attribution.likelihood`), or ``approximate``.
        step: index of the explained step.
        explained: its text.
        model: who was asked: a model's name, or a guard's.
        unit: of the scores, for people.
        steps: every earlier step in order.
        ranking: places in `steps` from the strongest on, candidates only.
        baseline: the answer with everything in place: a log-likelihood, or P(unsafe).
        cost: what it took.
        notes: what a reader must know before trusting it.
    """

    target: Target
    mode: Mode
    step: int
    explained: str
    model: str
    unit: str
    steps: tuple[StepScore, ...]
    ranking: tuple[int, ...]
    baseline: float
    cost: Cost
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """How it was found, and the answer with everything in place, in words."""
        if self.target == "verdict":
            return "leave-one-out", self.unit, f"P(unsafe) {self.baseline:.3f} with everything in place"
        return f"{self.mode} mode", self.unit, f"log-likelihood {self.baseline:.3f} with everything in place"


def shown(score: float) -> str:
    """Writes a score for people; of one that three digits would make nothing of, its size."""
    return f"{score:+.0e}" if 0 < abs(score) < 0.0005 else f"{score:+.3f}"


def ranking(steps: tuple[StepScore, ...] | list[StepScore]) -> tuple[int, ...]:
    """Returns the places of candidates, highest score first; of equal ones the earlier."""
    places = [place for place, step in enumerate(steps) if step.candidate]
    return tuple(sorted(places, key=lambda place: -steps[place].score))
