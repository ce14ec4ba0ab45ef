"""Which reviewed runs are about the same thing: near-duplicate requests go into one group, against twins in two folds.

Invariant: a function of the requests alone; what a set itself says of its groups is kept, and only joined further.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from agentdog.base.ids import digest
from agentdog.trajectory import Trajectory

_WORD = re.compile(r"[^\W\d_]{2,40}")
_SKETCH = 6
_ALIKE = 0.8
_READ = 2000
"""Smallest digests of a request's pairs of words by which likely twins are found; share of pairs from which two are
one; characters of a request that are read."""


def grouped(runs: Sequence[tuple[str, Trajectory]]) -> list[str]:
    """Returns each run's group: its own, joined with those whose requests are nearly the same.

    Args:
        runs: group as given, and the run.
    """
    pairs = [_pairs(trajectory) for _, trajectory in runs]
    parent = list(range(len(runs)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for twins in _buckets((group,) for group, _ in runs):
        for other in twins[1:]:
            parent[root(other)] = root(twins[0])
    for twins in _buckets(_sketch(each) for each in pairs):
        for at, one in enumerate(twins):
            for other in twins[at + 1 : at + 50]:
                if root(one) != root(other) and _alike(pairs[one], pairs[other]):
                    parent[root(other)] = root(one)
    return [runs[root(k)][0] for k in range(len(runs))]


def _buckets(keys: Iterable[Iterable[str]]) -> list[list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(keys):
        for key in each:
            found[key].append(place)
    return [places for places in found.values() if len(places) > 1]


def _pairs(trajectory: Trajectory) -> frozenset[str]:
    text = next((s.text for s in trajectory.steps if s.role == "user" and s.text), "")[:_READ]
    words = _WORD.findall(text.lower())
    return frozenset(f"{a} {b}" for a, b in pairwise(words))


def _sketch(pairs: frozenset[str]) -> list[str]:
    return sorted(digest("pair", pair, size=8) for pair in pairs)[:_SKETCH]


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _ALIKE * len(one | other)
