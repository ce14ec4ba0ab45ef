"""What the approximate mode reads: within a share of what plain reading reads, what tells most about the leading steps.

A screen without a model (`agentdog.attribution.screen`) names candidates, which are read in any case; of the others as
many as the budget allows, the likeliest first, since what a step that is left out would have gained falls to the
candidate behind it. The target is scored in front of and behind each candidate. A stretch between two places that were
scored has the sum of its steps' gains: where that could hide a leading step, it is halved (`halves`). Lengths are in
characters. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: Of what plain reading reads to score all steps, one part in so many is read.
SHARE = 24
#: Steps that are scored because the screen names them, beside the first and the last.
NAMED = 6
_AROUND = 30  # characters of a template around a message


class Plan(NamedTuple):
    """What is read.

    Attributes:
        kept: places of the steps that are read, in order.
        tried: places of those that are scored.
        spare: how often the target may be scored once more.
    """

    kept: list[int]
    tried: list[int]
    spare: int


def plan(lengths: Sequence[int], target: int, guesses: Sequence[float], *, apart: bool = False) -> Plan:
    """Plans within the budget.

    Args:
        lengths: of the steps before the target; at least one.
        target: its length.
        guesses: of the screen, one a step.
        apart: the model reads every variant by itself, so that only the candidates are kept.
    """
    count, target = len(lengths), target + _AROUND
    read = [length + _AROUND for length in lengths]
    best = sorted(range(count), key=lambda at: (-guesses[at], at))[:NAMED]
    tried = sorted({0, count - 1, *best})
    if apart:
        return Plan(tried, tried, 0)
    plain = sum((count - at) * length for at, length in enumerate(read)) + (count + 1) * target
    scored = {0, *tried, *(at + 1 for at in tried)}
    left = plain // SHARE - sum(read[at] for at in tried) - len(scored) * target
    kept = set(tried)
    for at in sorted(range(count), key=lambda at: (-guesses[at], at)):
        if at not in kept and read[at] <= left:
            kept.add(at)
            left -= read[at]
    return Plan(sorted(kept), tried, max(0, left) // target)


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
