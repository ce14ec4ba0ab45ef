"""What a guard may answer. ``not_evaluated`` is a verdict: shown, counted, and never read as safe."""

from __future__ import annotations

from enum import StrEnum

import msgspec

#: Characters of a guard's own words that a verdict keeps; an answer of a thousand tokens is whole.
RAW_LIMIT = 8192


class Outcome(StrEnum):
    """The three answers."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    NOT_EVALUATED = "not_evaluated"


class Reason(StrEnum):
    """Why a prefix was not evaluated; the only list of such reasons."""

    TOO_LONG = "too_long"
    TIMED_OUT = "timed_out"
    UNPARSABLE = "unparsable"
    GUARD_UNREACHABLE = "guard_unreachable"
    GUARD_ERROR = "guard_error"
    GUARD_REFUSED = "guard_refused"
    OVER_BUDGET = "over_budget"
    SUPERSEDED = "superseded"
    NOT_SAMPLED = "not_sampled"
    NO_CONTENT = "no_content"
    OUT_OF_SCOPE = "out_of_scope"


class Labels(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One primary label per axis, as taxonomy ids (arXiv 2604.02022 App. B.1): where, how, what.

    ``None`` means that the guard did not say; never that there is nothing to say.
    """

    risk_source: str | None = None
    failure_mode: str | None = None
    real_world_harm: str | None = None


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a verdict rests on.

    Attributes:
        detector: which detector or guard says so.
        message: one sentence that a person can read.
        step: index of the step that shows it.
        quote: the words themselves, untrusted text.
        source_step: index of the earlier step that the quoted value or instruction came from.
        labels: the axes as this piece of evidence alone would put them.
        weight: how much it adds, in [0, 1].
    """

    detector: str
    message: str
    step: int
    quote: str | None = None
    source_step: int | None = None
    labels: Labels | None = None
    weight: float = 0.0


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A guard's answer for one prefix.

    Attributes:
        outcome: safe, unsafe or not_evaluated.
        guard: fingerprint of the guard (model, pack, wording, decoding, render profile).
        p_unsafe: probability in [0, 1]; ``None`` when the guard has none to give.
        labels: the three axes, where asked for and given.
        axes: axis → label → probability, likeliest first, where asked for and given; `labels` is what was written.
        evidence: what it rests on, heaviest first.
        reason: why it was not evaluated; set exactly then.
        detail: a sentence about that reason, or about anything unusual (cut, forced, near the threshold).
        latency_ms: wall time of asking.
        prompt_tokens: read by the guard, cached ones included.
        cached_tokens: of these, served from a prefix cache, where the server says.
        completion_tokens: written by the guard.
        raw: what the guard wrote, word for word, one answer behind the other where it was asked twice; also of an
            answer that could not be read. Untrusted text of at most about `RAW_LIMIT` characters; kept by the store.
    """

    outcome: Outcome
    guard: str
    p_unsafe: float | None = None
    labels: Labels | None = None
    axes: dict[str, dict[str, float]] | None = None
    evidence: tuple[Evidence, ...] = ()
    reason: Reason | None = None
    detail: str | None = None
    latency_ms: float = 0.0
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    raw: str | None = None

    def __post_init__(self) -> None:
        """Holds the invariant: a reason exactly when not evaluated."""
        if (self.outcome is Outcome.NOT_EVALUATED) != (self.reason is not None):
            raise ValueError(
                f"outcome {self.outcome} with reason {self.reason}: a reason belongs to not_evaluated only"
            )


def kept(*texts: str | None) -> str | None:
    """Puts a guard's answers behind each other, each on lines of its own; ``None`` when there is none.

    What is over `RAW_LIMIT` loses its middle and says so: a verdict stands at an answer's beginning or at its end.
    """
    text = "\n".join(t for t in texts if t)
    if len(text) > RAW_LIMIT:
        half = RAW_LIMIT // 2
        text = f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"
    return text or None
