"""A model that was learned from one project's reviewed runs: what it holds, and how it weighs one agent step.

Invariants: plain JSON, numbers and words only, so that loading one can run nothing; its version is the digest of all
that decides, so that equal versions answer equally; a step's score is a sum that can be taken apart into words and
signals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec

from agentdog.base.errors import UsageError
from agentdog.base.ids import digest
from agentdog.guards.embedded.forking import forked
from agentdog.guards.embedded.learned.reading import Words
from agentdog.guards.embedded.model import logistic

MOST_BYTES = 16 << 20
"""Bytes of a model's file at most: more is none of ours."""


class Block(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Words with their rarity and weight.

    Attributes:
        words: the vocabulary, most frequent first.
        rarity: inverse document frequency of each, smoothed: ``ln((1 + n) / (1 + df)) + 1``.
        weights: log-odds per unit of a word's share of the text's length (L2 norm of its TF-IDF).
    """

    words: list[str]
    rarity: list[float]
    weights: list[float]

    def __post_init__(self) -> None:
        """Raises `ValueError` where the lists do not belong together, so that decoding names the block."""
        if not len(self.words) == len(self.rarity) == len(self.weights):
            raise ValueError("words, rarity and weights are of different lengths")

    @cached_property
    def places(self) -> dict[str, tuple[float, float]]:
        """Rarity and rarity times weight, by word."""
        triples = zip(self.words, self.rarity, self.weights, strict=True)
        return {word: (rarity, rarity * weight) for word, rarity, weight in triples}


class Sum:
    """A text's weight under a block, kept up to date word by word."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._counts: dict[str, int] = {}
        self._dot = 0.0
        self._square = 0.0

    def add(self, words: Words) -> None:
        """Takes in words; costs as much as there are different ones."""
        places = self._block.places
        for word, count in words.items():
            place = places.get(word)
            if place is None:
                continue
            before = self._counts.get(word, 0)
            self._counts[word] = before + count
            old = 1.0 + math.log(before) if before else 0.0
            new = 1.0 + math.log(before + count)
            self._dot += place[1] * (new - old)
            self._square += place[0] ** 2 * (new**2 - old**2)

    def value(self) -> float:
        """Returns the log-odds that the text adds."""
        return self._dot / math.sqrt(self._square) if self._square > 0 else 0.0

    def parts(self) -> Iterator[tuple[str, float]]:
        """Returns what each word adds."""
        norm = math.sqrt(self._square) if self._square > 0 else 1.0
        for word, count in self._counts.items():
            yield word, self._block.places[word][1] * (1.0 + math.log(count)) / norm

    def fork(self) -> Sum:
        """Returns one that grows apart."""
        return forked(self)


class Part(NamedTuple):
    """A reason of a score: a word or signal, and the log-odds that it adds."""

    name: str
    log_odds: float


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95 % interval by group; ``None`` where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Figures(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What cross-validation found, every row judged by a model that saw nothing of its group.

    Attributes:
        runs, unsafe, groups, safe_groups: what was learned from.
        learned, unlearned, words: F1, precision, recall, AUROC and false alarms (share of safe runs flagged) of the
            learned model, of the guard without it, and of TF-IDF words with logistic regression over the whole run; a
            run is flagged when any of its steps is (``words``: the run as a whole).
        difference: of F1, learned minus unlearned, in pairs.
        false_alarm: the rate that was promised, where one was named.
        reached: share of safe runs flagged, each against a threshold that was placed without its group; mean by group.
        better: whether the difference's interval lies above nothing.
    """

    runs: int
    unsafe: int
    groups: int
    safe_groups: int
    learned: dict[str, Measure]
    unlearned: dict[str, Measure]
    words: dict[str, Measure]
    difference: Measure
    better: bool
    false_alarm: float | None = None
    reached: Measure | None = None


class Novelty(msgspec.Struct, frozen=True, kw_only=True):
    """What runs looked like when the model was learned: per run the share of its words that the others do not have.

    Attributes:
        shares: of runs, in order, each against a vocabulary without its group.
    """

    shares: list[float]


class Learned(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="agentdog.learned/1", dict=True):
    """A learned model.

    Attributes:
        project: whose reviews it was learned from.
        made: RFC 3339.
        base: fingerprint of the embedded guard whose signals it reads.
        ran, now: words of the run so far, and of the agent's step.
        did: log-odds per signal.
        bias: log-odds of a step without anything.
        slope, shift: from log-odds to calibrated log-odds (Platt 1999), fitted on rows that the model had not seen.
        threshold: P(unsafe) from which a step is unsafe.
        figures: how good it is.
        novelty: for telling when runs are no longer like those that it was learned from.
    """

    project: str
    made: str
    base: str
    ran: Block
    now: Block
    did: dict[str, float]
    bias: float
    slope: float
    shift: float
    threshold: float
    figures: Figures
    novelty: Novelty

    @cached_property
    def version(self) -> str:
        """Digest of all that decides: equal versions answer equally."""
        deciding = (self.base, self.ran, self.now, self.did, self.bias, self.slope, self.shift, self.threshold)
        return digest("learned", msgspec.json.encode(deciding, order="sorted").decode(), size=8)

    def p(self, log_odds: float) -> float:
        """Returns the calibrated P(unsafe)."""
        return logistic(self.slope * log_odds + self.shift)

    def signals(self, did: Mapping[str, float]) -> Iterator[Part]:
        """Returns what each signal adds."""
        for name, value in did.items():
            if weight := self.did.get(name, 0.0):
                yield Part(name, weight * value)


def encode(model: Learned) -> bytes:
    """Returns a model as its file."""
    return msgspec.json.encode(model)


def decode(data: bytes, name: str = "learned model") -> Learned:
    """Reads a model's file.

    Raises:
        UsageError: it is none, or not all there.
    """
    if len(data) > MOST_BYTES:
        raise UsageError(f"{name}: {len(data)} bytes; a model has at most {MOST_BYTES}")
    try:
        model = msgspec.json.decode(data, type=Learned)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{name}: no learned model ({error}); give what `agentdog learn` wrote") from error
    numbers = [model.bias, model.slope, model.shift, *model.did.values(), *model.ran.weights, *model.now.weights]
    if not all(map(math.isfinite, numbers)) or not 0.0 < model.threshold <= 1.0:
        raise UsageError(f"{name}: a number in it is not finite, or its threshold is no probability; learn it anew")
    return model
