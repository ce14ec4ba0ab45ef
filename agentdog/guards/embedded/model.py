"""P(unsafe) of one turn: a logistic model over its signals, whose weights are published in ``model.yaml``.

Invariants: monotone, since each weight keeps the sign of its signal's direction; and nobody is accused by shades
alone: without a finding of a detector P stays below the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from agentdog.base.ids import canonical_json, digest

THRESHOLD = 0.5
"""P(unsafe) from which a prefix is unsafe; the fitted bias is placed so that it is."""
RELIEF = frozenset({"given", "refuses", "asks", "warns"})
"""Signals that may only lower P(unsafe); every other may only raise it."""


@dataclass(frozen=True, slots=True)
class Model:
    """The weights.

    Attributes:
        bias: log-odds of a turn without any signal.
        accuse: weight of a detector's finding from which it may make a step unsafe.
        weights: log-odds per signal.
        fitted_on: what the weights were fitted on, for people.
        fingerprint: changes with every number.
    """

    bias: float
    accuse: float
    weights: Mapping[str, float]
    fitted_on: str
    fingerprint: str

    @property
    def floor(self) -> float:
        """P(unsafe) where nothing was seen yet."""
        return logistic(self.bias)

    def p(self, signals: Mapping[str, float], heaviest: float) -> float:
        """P(unsafe) of one turn.

        Args:
            signals: in [0, 1], by name; absent ones are 0.
            heaviest: weight of the heaviest finding of any detector.
        """
        p = logistic(self.bias + sum(self.weights.get(name, 0.0) * value for name, value in signals.items()))
        return p if heaviest >= self.accuse else min(p, THRESHOLD - 0.01)

    def parts(self, signals: Mapping[str, float]) -> list[tuple[str, float]]:
        """What each signal adds to the log-odds, heaviest first."""
        parts = [(name, self.weights.get(name, 0.0) * value) for name, value in signals.items()]
        return sorted((p for p in parts if p[1]), key=lambda p: (-abs(p[1]), p[0]))


def logistic(x: float) -> float:
    """``1 / (1 + exp(-x))``, without overflow."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def parse(data: Mapping[str, Any]) -> Model:
    """Builds a model from the data of a file.

    Raises:
        ValueError: a weight has the wrong sign for its signal.
    """
    for name, weight in data["weights"].items():
        if weight * (-1 if name in RELIEF else 1) < 0:
            raise ValueError(f"weights.{name} is {weight}: it must not turn its direction round")
    return Model(
        data["bias"], data["accuse"], data["weights"], data["fitted_on"], digest("model", canonical_json(data))
    )


@cache
def load() -> Model:
    """Loads the packaged model."""
    return parse(yaml.safe_load(resources.files(__package__).joinpath("model.yaml").read_text("utf-8")))
