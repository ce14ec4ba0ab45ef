"""The embedded guard's patterns and weights, read from ``catalogue.yaml`` and compiled once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from agentdog.base.anchored import Anchored
from agentdog.base.ids import canonical_json, digest


@dataclass(frozen=True, slots=True)
class Cue:
    """A way in which data comes to speak to the agent, and how far it alone makes an instruction."""

    name: str
    weight: float
    pattern: Anchored


@dataclass(frozen=True, slots=True)
class Danger:
    """A command that is hard to undo."""

    name: str
    severity: str
    pattern: Anchored


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Everything that tunes the guard.

    Attributes:
        reach: characters after a cue that it colours.
        joins: what else joins an instruction's cues when a call fits it.
        talk: what an agent's own words do, by name.
        harm: requests that no agent should carry out, by kind.
    """

    reach: int
    cues: tuple[Cue, ...]
    imperative: Cue
    match: Mapping[str, float]
    joins: Mapping[str, float]
    talk: Mapping[str, Anchored]
    harm: Mapping[str, Anchored]
    weights: Mapping[str, Mapping[str, float]]
    destructive: tuple[Danger, ...]
    fingerprint: str


def noisy_or(weights: Iterable[float]) -> float:
    """Joins independent reasons: ``1 - product(1 - w)``."""
    return 1.0 - math.prod(1.0 - w for w in weights)


@cache
def load() -> Catalogue:
    """Loads the packaged catalogue."""
    data: dict[str, Any] = yaml.safe_load(resources.files(__package__).joinpath("catalogue.yaml").read_text("utf-8"))
    return Catalogue(
        reach=data["reach"],
        cues=tuple(_cue(name, row) for name, row in data["cues"].items()),
        imperative=_cue("imperative", data["imperative"]),
        match=data["match"],
        joins=data["joins"],
        talk={name: Anchored(pattern) for name, pattern in data["talk"].items()},
        harm={name: Anchored(pattern) for name, pattern in data["harm"].items()},
        weights=data["weights"],
        destructive=tuple(Danger(r["name"], r["severity"], Anchored(r["pattern"])) for r in data["destructive"]),
        fingerprint=digest("catalogue", canonical_json(data)),
    )


def _cue(name: str, row: Mapping[str, Any]) -> Cue:
    return Cue(name, row["weight"], Anchored(row["pattern"]))
