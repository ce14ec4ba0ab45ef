"""Two runs over the same rows: is the difference more than chance?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import comb

import msgspec

from agentdog.base.errors import UsageError
from agentdog.base.stats import Interval, bootstrap
from atbench.metrics import Confusion, Row, by_group


class Comparison(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="atbench.compare/1"):
    """The second run against the first, over labelled rows of both.

    Attributes:
        rows: compared.
        difference: per score, second minus first; paired, resampled by group, 95 %.
        only_first: rows that only the first run gets right; `only_second` likewise.
        p_value: exact two-sided McNemar test of these two counts; it takes rows for independent, the intervals do not.
    """

    rows: int
    difference: dict[str, Interval]
    only_first: int
    only_second: int
    p_value: float


def compare(first: Sequence[Row], second: Sequence[Row], *, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Compares two runs row by row.

    Raises:
        UsageError: when the runs are not over the same rows.
    """
    ours, theirs = _keyed(first), _keyed(second)
    if ours.keys() != theirs.keys():
        apart = len(ours.keys() ^ theirs.keys())
        raise UsageError(f"the runs are not over the same labelled rows: {apart} ids are in one of them only")
    if any(theirs[key].label != row.label for key, row in ours.items()):
        raise UsageError("the runs disagree about labels: they are over different readings of the set")
    keys = {id(row): key for key, row in ours.items()}
    groups = [(group, [theirs[keys[id(row)]] for row in group]) for group in by_group(ours.values())]
    counted = [(Confusion.of(one), Confusion.of(other)) for one, other in groups]

    def statistics(sample: Sequence[tuple[Confusion, Confusion]]) -> Mapping[str, float | None]:
        one, other = (
            Confusion(*(sum(column) for column in zip(*counts, strict=True))).scores()
            for counts in zip(*(sample or [(Confusion(), Confusion())]), strict=True)
        )
        return {name: None if (a := one[name]) is None or (b := other[name]) is None else b - a for name in one}

    right = [(row.prediction == row.label, theirs[key].prediction == row.label) for key, row in ours.items()]
    only_first, only_second = right.count((True, False)), right.count((False, True))
    return Comparison(
        rows=len(ours),
        difference=bootstrap(counted, statistics, resamples=resamples, seed=seed),
        only_first=only_first,
        only_second=only_second,
        p_value=mcnemar(only_first, only_second),
    )


def _keyed(rows: Sequence[Row]) -> dict[tuple[str, int], Row]:
    """Labelled rows by id, and by which of its rows it is where an id names several."""
    seen: Counter[str] = Counter()
    found: dict[tuple[str, int], Row] = {}
    for row in rows:
        if row.label is not None:
            found[row.id, seen[row.id]] = row
        seen[row.id] += 1
    return found


def mcnemar(only_first: int, only_second: int) -> float:
    """Returns the chance of counts as unequal as these when each discordant row falls either way alike (exact)."""
    total, fewer = only_first + only_second, min(only_first, only_second)
    tail: int = sum(comb(total, k) for k in range(fewer + 1))
    return min(1.0, float(Fraction(2 * tail, 2**total)))
