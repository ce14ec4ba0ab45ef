"""A cheap guess at which texts make an action likelier: what a writer that only copies would gain by reading each.

No model is asked. For every word of the action, the longest run of words that ends in it and was read before says how
well a copier foresees it: not at all, as one of the words that it knows, or as what follows the words before. A text's
guess is the gain in nats that reading it brings, in order, as a step gain is the model's (arXiv 2601.15075, eq. 5).
Invariant: guesses are never below 0; only their order means anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_LONGEST = 5  # words of a run
_SPELLED = (2.0, 0.6)  # nats of a word that was never read: to begin it, and for each character
_MARK = 3.0  # nats of a punctuation mark that was never read


def screen(texts: Sequence[str], target: str) -> list[float]:
    """Returns one guess a text."""
    words = _WORD.findall(target.lower())
    runs = [0] * len(words)  # length of the longest run that ends in each word and was read
    known: set[str] = set()
    before, guesses = sum(_cost(word, 0, 0) for word in words), []
    for text in texts:
        read = _WORD.findall(text.lower())
        known.update(read)
        _extend(runs, words, read)
        now = min(before, sum(_cost(word, run, len(known)) for word, run in zip(words, runs, strict=True)))
        guesses.append(before - now)
        before = now
    return guesses


def _extend(runs: list[int], words: Sequence[str], read: Sequence[str]) -> None:
    """Lengthens runs by what a text holds."""
    there = [set(zip(*(read[ahead:] for ahead in range(size)), strict=False)) for size in range(1, _LONGEST + 1)]
    for at in range(len(words)):
        for size in range(1, min(_LONGEST, at + 1) + 1):
            if tuple(words[at + 1 - size : at + 1]) not in there[size - 1]:
                break
            runs[at] = max(runs[at], size)


def _cost(word: str, run: int, known: int) -> float:
    """What it takes to write a word: in nats, roughly."""
    spelled = _SPELLED[0] + _SPELLED[1] * len(word) if word[0].isalnum() else _MARK
    if run == 0:
        return spelled
    if run > 1:
        return 2.0 / (run - 1) ** 2
    return min(spelled, math.log(2 + known) * (1.0 if word[0].isalnum() else 0.5))
