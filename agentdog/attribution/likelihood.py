"""Why the agent did this: which step, and which sentence of it, made the action likelier (arXiv 2601.15075, eq. 5-8).

With a the explained action and T≤i the steps up to i, in nats::

    step gain    Δ_i     = log π(a | T≤i) - log π(a | T≤i-1)
    necessity    Drop(x) = log π(a | T≤i) - log π(a | T≤i without x)
    sufficiency  Hold(x) = log π(a | x) - log π(a | T≤i)
    score        Φ(x)    = Drop(x) + Hold(x)

``paper`` follows that. ``compatible`` follows AgentDoG's scripts instead (`AgenticXAI/component_attri.py`,
`sentence_attri.py`), which differ: a step's score is the gain of the *mean* log-probability of a token; the first
message is no candidate; hold keeps all steps before and puts the one sentence in place of the step; sentences are cut
at every full stop; without context the template's default system prompt counts as the action's own.

``approximate`` follows ``paper`` on what `agentdog.attribution.plan` lets through: the likeliest steps, the first and
the last, read with as much of the others as a budget allows, and of the leading ones the likeliest sentences. The rest
is not ranked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from agentdog.attribution import plan, screen, sentences
from agentdog.attribution.messages import Message
from agentdog.attribution.result import Attribution, Cost, Mode, SentenceScore, StepScore, ranking
from agentdog.attribution.trie import Span
from agentdog.base.errors import UsageError

_NOTE = (
    "The scored model stands in for the agent; it need not be the one that acted. The scores explain the action, not "
    "the guard's verdict."
)

_SCREENED_NOTE = (
    "Approximate: only the steps and sentences that share most with the action were scored, with shortened steps "
    "between them; the others are not ranked."
)


class Likelihood(NamedTuple):
    """The summed log-probability, in nats, of a span, and how many tokens it has."""

    total: float
    tokens: int


class Model(Protocol):
    """What scores spans; see `agentdog.attribution.causal`."""

    name: str
    computed: int
    plain: int

    @property
    def apart(self) -> bool:
        """Whether it reads every variant by itself, what they share included."""
        ...

    def score(self, spans: Sequence[Span]) -> Sequence[Likelihood]:
        """Returns one likelihood a span."""
        ...


class Spans(Protocol):
    """What makes conversations into spans; see `agentdog.attribution.chats`."""

    def content_span(self, context: Sequence[Message], target: Message) -> Span:
        """As the paper: the target's content."""
        ...

    def reference_span(self, context: Sequence[Message], target: Message) -> Span:
        """As the reference scripts."""
        ...


class _Way(NamedTuple):
    """The definitions of a mode."""

    mode: Mode
    span: Callable[[Sequence[Message], Message], Span]
    split: Callable[[str], list[str]]
    mean: bool
    first: bool
    alone: bool
    unit: str


def explain(
    model: Model, spans: Spans, messages: Sequence[Message], place: int, *, mode: Mode = "paper", top_k: int = 3
) -> Attribution:
    """Attributes the message at `place` to those before it.

    Args:
        model: scores likelihoods.
        spans: makes conversations into tokens.
        messages: of the trajectory.
        place: of the explained message; from 1 on.
        mode: ``paper``, ``compatible`` or ``approximate``.
        top_k: leading steps whose sentences are scored too.

    Raises:
        UsageError: when the model or its template does not take the conversation.
    """
    if place < 1:
        raise UsageError("the first message has nothing before it that could explain it")
    way = _way(mode, spans)
    before, target = list(messages[:place]), messages[place]
    kept, read, ends, spare = list(range(place)), before, list(range(place + 1)), 0
    if mode == "approximate":
        kept, read, ends, spare = _planned(before, target, model.apart)
    found = _scored(model, way, read, target, ends)
    while spare > 0 and (more := plan.halves({at: of.total for at, of in found.items()}, _third(found), spare)):
        found |= _scored(model, way, read, target, more)
        spare -= len(more)
    scored = _steps(read, found, way)
    order = ranking(scored)
    # The deepest step first: what the model keeps of the trajectory is cut back from one to the next, never read again.
    for at in sorted(order[:top_k], reverse=True):
        base, pieces = _sentences(model, way, [*read[:at], before[kept[at]]], target)
        nothing = found[0 if way.alone else at].total - base
        scored[at] = msgspec.structs.replace(scored[at], sentences=pieces, nothing=nothing)
    steps = [StepScore(step=own.step, role=own.who, score=0.0, candidate=False) for own in before]
    for at, own in zip(kept, scored, strict=True):
        steps[at] = own
    return Attribution(
        target="action",
        mode=mode,
        step=target.step if target.step is not None else 0,
        explained=target.content,
        model=model.name,
        unit=way.unit,
        steps=tuple(steps),
        ranking=tuple(kept[at] for at in order),
        baseline=found[len(read)].total,
        cost=Cost(computed=model.computed, plain=model.plain, seconds=0.0),
        notes=(_NOTE, *((_SCREENED_NOTE,) if mode == "approximate" else ())),
    )


def _way(mode: Mode, spans: Spans) -> _Way:
    if mode == "compatible":
        unit = "gain of the mean log-probability of a token"
        return _Way(mode, spans.reference_span, sentences.split_as_reference, True, False, False, unit)
    return _Way(mode, spans.content_span, sentences.split, False, True, True, "gain of log-likelihood, nats")


def _planned(
    before: Sequence[Message], target: Message, apart: bool
) -> tuple[list[int], list[Message], list[int], int]:
    """Returns which places are read, as what, behind how many of them the target is scored, and what is to spare."""
    cut = [sentences.split(message.content) for message in before]
    guesses = iter(screen.screen([piece for pieces in cut for piece in pieces], target.content))
    lengths = [[len(piece) for piece in pieces] for pieces in cut]
    planned = plan.plan(lengths, len(target.content), [[next(guesses) for _ in pieces] for pieces in cut], apart=apart)
    kept = [at for at, chosen in enumerate(planned.pieces) if chosen or at in planned.tried]
    read = [_shortened(before[at], cut[at], planned.pieces[at]) for at in kept]
    places = [kept.index(at) for at in planned.tried]
    return kept, read, sorted({0, *places, *(at + 1 for at in places)}), planned.spare


def _shortened(message: Message, pieces: Sequence[str], chosen: Collection[int]) -> Message:
    if len(chosen) == len(pieces):
        return message
    return message._replace(content="".join(pieces[at] for at in sorted(chosen)).rstrip())


def _scored(
    model: Model, way: _Way, read: Sequence[Message], target: Message, ends: Sequence[int]
) -> dict[int, Likelihood]:
    """Scores the target behind so many of the steps."""
    return dict(zip(ends, model.score([way.span(read[:end], target) for end in ends]), strict=True))


def _third(found: Mapping[int, Likelihood]) -> float:
    gains = [found[at + 1].total - found[at].total for at in found if at + 1 in found]
    return sorted(gains, reverse=True)[min(2, len(gains) - 1)]


def _steps(read: Sequence[Message], found: Mapping[int, Likelihood], way: _Way) -> list[StepScore]:
    """Makes scores of what was scored on both sides; the other steps are no candidates."""
    steps: list[StepScore] = []
    for at, message in enumerate(read):
        if at not in found or at + 1 not in found:
            steps.append(StepScore(step=message.step, role=message.who, score=0.0, candidate=False))
            continue
        without, behind = found[at], found[at + 1]
        gain = _mean(behind) - _mean(without) if way.mean else behind.total - without.total
        steps.append(
            StepScore(
                step=message.step,
                role=message.who,
                score=gain,
                candidate=way.first or at > 0,
                log_likelihood=behind.total,
                tokens=behind.tokens,
            )
        )
    return steps


def _mean(scored: Likelihood) -> float:
    return scored.total / scored.tokens if scored.tokens else -9999.0  # the reference's stand-in for nothing


def _sentences(
    model: Model, way: _Way, upto: Sequence[Message], target: Message
) -> tuple[float, tuple[SentenceScore, ...]]:
    """Scores the sentences of the last step; returns the target's log-likelihood behind all of it, too."""
    *before, own = upto
    pieces = way.split(own.content)
    tried = list(range(len(pieces)))
    if way.mode == "approximate":
        guessed = screen.screen([*(message.content for message in before), *pieces], target.content)[len(before) :]
        tried = plan.leading(guessed)
    asked = [way.span(upto, target)]
    for index in tried:
        without = own._replace(content="".join(pieces[:index] + pieces[index + 1 :]))
        alone = own._replace(content=pieces[index])
        asked.append(way.span([*before, without], target))
        asked.append(way.span([alone] if way.alone else [*before, alone], target))
    base, *others = (scored.total for scored in model.score(asked))
    scores = [SentenceScore(text=piece, drop=0.0, score=0.0, candidate=False) for piece in pieces]
    for index, drop, hold in zip(tried, others[::2], others[1::2], strict=True):
        scores[index] = SentenceScore(text=pieces[index], drop=base - drop, hold=hold - base, score=hold - drop)
    return base, tuple(scores)
