"""What the approximate mode reads: within a share of what plain reading costs, what tells most about the leading steps.

A screen without a model (`agentdog.attribution.screen`) names candidates, which are read whole; the target is scored in
front of and behind each, the first step and the last. What a candidate gains depends on all that is read before it:
what is left out would have gained something that falls to the next one read. So of the other steps those pieces are
read first that share something with the target, then all steps up to the last candidate from their beginnings, alike,
then those behind it, from the last one backwards. A stretch between two places that were scored has the sum of its
steps' gains: where that could hide a leading step, it is halved (`halves`). Lengths are in characters. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

#: Of what plain reading costs, sentences included, one part in so many is planned to be spent. Prices are rough: of
#: SmolLM2's CPU time it is less (`benchmarks/attribution.py`).
SHARE = 22
#: Sentences of a leading step that are scored at most: of those that share something with the target, else the first.
SENTENCES = 2
#: Steps that are scored because the screen names them, beside the first and the last.
NAMED = 4
_AROUND = 30  # characters of a template around a message
_HISTORY = 12_000  # to see so many characters of history costs as much as to read a character: attention, small models
_SENTENCE = 70  # characters of one, about
_LEADING = 3  # steps whose sentences are scored
_SPARE = (2, 4)  # stretches that can be halved in any case, and at most


class Plan(NamedTuple):
    """What is read.

    Attributes:
        pieces: which of each step's pieces are read; none of a step that is left out.
        tried: places of the steps that are scored.
        spare: how often the target may be scored once more.
    """

    pieces: list[set[int]]
    tried: list[int]
    spare: int


def plan(
    lengths: Sequence[Sequence[int]], target: int, guesses: Sequence[Sequence[float]], *, apart: bool = False
) -> Plan:
    """Plans within the budget.

    Args:
        lengths: of the pieces of each step before the target; at least one step.
        target: its length.
        guesses: of the screen, one a piece.
        apart: the model reads every variant by itself, so that only the candidates are kept.
    """
    count, target = len(lengths), target + _AROUND
    named = sorted(range(count), key=lambda at: (-sum(guesses[at]), at))[:NAMED]
    tried = sorted({0, count - 1, *named})
    pieces = [set(range(len(step))) if at in tried else set() for at, step in enumerate(lengths)]
    if apart:
        return Plan(pieces, tried, 0)
    whole = [sum(step) + _AROUND for step in lengths]
    budget, again = _budget(whole, target, guesses, named), _cost(target, sum(whole))
    read = [size if at in tried else 0 for at, size in enumerate(whole)]
    for at, piece in _order(lengths, guesses, max(named)):
        if piece in pieces[at]:
            continue
        longer = lengths[at][piece] + (0 if read[at] else _AROUND)
        read[at] += longer
        if _price(read, target, tried) > budget - _SPARE[0] * again:
            read[at] -= longer
        else:
            pieces[at].add(piece)
    left = budget - _price(read, target, tried)
    return Plan(pieces, tried, min(_SPARE[1], max(0, int(left / again))))


def leading(guesses: Sequence[float]) -> list[int]:
    """Returns which of a step's pieces are scored, in order."""
    best = sorted(range(len(guesses)), key=lambda at: (-guesses[at], at))[:SENTENCES]
    return sorted([at for at in best if guesses[at] > 0] or best[:1])


def _order(
    lengths: Sequence[Sequence[int]], guesses: Sequence[Sequence[float]], last: int
) -> Iterator[tuple[int, int]]:
    """Yields pieces as (step, piece), those that tell most first; some twice."""
    every = [(at, piece) for at, step in enumerate(lengths) for piece in range(len(step))]
    yield from sorted((of for of in every if guesses[of[0]][of[1]] > 0), key=lambda of: -guesses[of[0]][of[1]])
    yield from sorted((of for of in every if of[0] <= last), key=lambda of: (of[1], -of[0]))
    yield from sorted((of for of in every if of[0] > last), key=lambda of: (-of[0], of[1]))


def _cost(length: float, history: float) -> float:
    """What it costs to read so many characters behind so many."""
    return length * (1 + (history + length / 2) / _HISTORY)


def _price(read: Sequence[int], target: int, tried: Sequence[int]) -> float:
    """What the plan costs without sentences."""
    depths = [0, *itertools.accumulate(read)]
    ends = {0, *tried, *(at + 1 for at in tried)}
    return _cost(depths[-1], 0) + sum(_cost(target, depths[end]) for end in ends)


def _budget(whole: Sequence[int], target: int, guesses: Sequence[Sequence[float]], named: Sequence[int]) -> float:
    """What may be spent on steps: a share of plain reading, less what the leading steps' sentences will take."""
    depths = [0, *itertools.accumulate(whole)]
    plain = sum(_cost(depth + target, 0) for depth in depths)
    ours = 0.0
    for at in named[:_LEADING]:
        alone = _cost(_SENTENCE + _AROUND + target, 0)
        plain += (1 + whole[at] / _SENTENCE) * (_cost(depths[at + 1] + target, 0) + alone)
        dropped = _cost(whole[at] / 2 + target, depths[at])
        ours += len(leading(guesses[at])) * (dropped + alone)
    return plain / SHARE - ours


def halves(known: Mapping[int, float], third: float, most: int) -> list[int]:
    """Returns where to score next: the middles of stretches whose steps together gain more than the third-best step.

    Args:
        known: log-likelihood of the target by how many steps are read before it.
        third: gain of the third-best step that was scored.
        most: how many middles at most; those of the stretches that gain most.
    """
    wide = [
        (known[start] - known[end], (start + end) // 2)
        for start, end in itertools.pairwise(sorted(known))
        if end - start > 1 and known[end] - known[start] > third
    ]
    return [middle for _, middle in sorted(wide)[:most]]
