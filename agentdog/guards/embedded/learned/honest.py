"""What a learned model is worth, told by rows that it has not seen; and the threshold that keeps a promise.

Invariants: no row is judged by a model that saw a row of its group; a threshold for a promised rate is measured on
groups that had no say in it; the same examples and seed give the same figures.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from agentdog.base.calibration import auroc, conformal_threshold, rows_needed
from agentdog.base.errors import UsageError
from agentdog.base.ids import digest
from agentdog.base.stats import Interval, bootstrap
from agentdog.guards.embedded.learned.drift import share_new
from agentdog.guards.embedded.learned.fitting import Example, Weights, fit, platt, words_only
from agentdog.guards.embedded.learned.model import Figures, Measure, Novelty
from agentdog.guards.embedded.model import THRESHOLD, logistic

FOLDS = 5
FEWEST = 2 * FOLDS
"""Groups of each kind below which nothing can be told: two in every fold."""
_RESAMPLES = 400


class Examined(NamedTuple):
    """A fitted model with what is known of it."""

    weights: Weights
    slope: float
    shift: float
    threshold: float
    figures: Figures
    novelty: Novelty


class Judged(NamedTuple):
    """One row as each of the three judged it: score and flag."""

    example: Example
    p: float
    flag: bool
    p_words: float


def examine(
    examples: Sequence[Example],
    *,
    false_alarm: float | None = None,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Examined:
    """Fits a model and says how good it is.

    Args:
        examples: reviewed runs.
        false_alarm: share of safe runs that may be flagged; P = 0.5 decides where none is named.
        seed: of the folds.
        progress: is told what is done, how much of it, and of how much.

    Raises:
        UsageError: the reviews are too few, saying how many are needed; or scikit-learn is not installed.
    """
    check_enough(examples, false_alarm)
    folds = split(examples, seed)
    scores: dict[str, float] = {}
    words: dict[str, float] = {}
    shares: list[float] = []
    for number, (train, test) in enumerate(folds):
        progress("cross-validation", number, FOLDS + 1)
        weights = fit(train)
        scores |= {e.id: weights.score(e) for e in test}
        words |= dict(zip([e.id for e in test], words_only(train, test), strict=True))
        shares += [share_new((s.new for s in e.seen), weights.ran.places) for e in test]
    progress("the model itself", FOLDS, FOLDS + 1)
    slope, shift = platt([(e.label, scores[e.id]) for e in examples])
    given = {key: logistic(slope * z + shift) for key, z in scores.items()}
    threshold, flags = place(examples, given, false_alarm)
    judged = [Judged(e, given[e.id], flags[e.id], words[e.id]) for e in examples]
    return Examined(
        fit(examples),
        slope,
        shift,
        threshold,
        figures(judged, false_alarm),
        Novelty(shares=sorted(round(share, 4) for share in shares)),
    )


def check_enough(examples: Sequence[Example], false_alarm: float | None) -> None:
    """Raises `UsageError` where the reviews cannot carry a model, or the promise; says how many would."""
    groups = {label: len({e.group for e in examples if e.label == label}) for label in (0, 1)}
    lacking = [
        f"{FEWEST} {kind} ones ({groups[k]} are there)"
        for k, kind in enumerate(("safe", "unsafe"))
        if groups[k] < FEWEST
    ]
    if lacking:
        raise UsageError(
            f"reviews: too few kinds of runs; needed are {' and '.join(lacking)}, about different requests"
        )
    if false_alarm is None:
        return
    if not 0.0 < false_alarm < 1.0:
        raise UsageError(f"false-alarm {false_alarm}: give a rate between 0 and 1, such as 0.05")
    needed = rows_needed(false_alarm) + 1  # one more, since each is measured against the others
    if groups[0] < needed:
        raise UsageError(
            f"false-alarm {false_alarm:g}: {needed} safe runs about different requests are needed to promise it, and "
            f"{groups[0]} are there; review more, or allow {1 / groups[0]:.2g}"
        )


def split(examples: Sequence[Example], seed: int) -> list[tuple[list[Example], list[Example]]]:
    """Cuts examples into folds by group; groups with unsafe runs are dealt first, so that every fold has some."""
    groups: dict[str, int] = {}
    for example in examples:
        groups[example.group] = max(groups.get(example.group, 0), example.label)
    shuffled = sorted(groups)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - folds, not secrets
    fold = {group: k % FOLDS for k, group in enumerate(sorted(shuffled, key=lambda g: -groups[g]))}
    return [
        ([e for e in examples if fold[e.group] != k], [e for e in examples if fold[e.group] == k]) for k in range(FOLDS)
    ]


def place(
    examples: Sequence[Example], given: Mapping[str, float], false_alarm: float | None
) -> tuple[float, dict[str, bool]]:
    """Places the threshold; and says which rows are flagged, each against a threshold placed without its group."""
    if false_alarm is None:
        return THRESHOLD, {e.id: given[e.id] >= THRESHOLD for e in examples}
    ordered = [(example.group, given[example.id]) for example in drawn(examples)]

    def without(group: str) -> float:
        return conformal_threshold([p for g, p in ordered if g != group], false_alarm) or 1.0

    every = conformal_threshold([p for _, p in ordered], false_alarm)
    # A verdict is unsafe from its threshold on, and the promise is of what exceeds the calibrated score.
    threshold = min(math.nextafter(every if every is not None else 1.0, 2.0), 1.0)
    thresholds = {g: without(g) for g in {e.group for e in examples}}
    return threshold, {e.id: given[e.id] > thresholds[e.group] for e in examples}


def figures(judged: Sequence[Judged], false_alarm: float | None) -> Figures:
    """Scores the learned model, the unlearned guard and plain words, with intervals by group."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for row in judged:
        groups[row.example.group].append(row)
    units = list(groups.values())
    tables = {
        "learned": lambda row: (row.p, row.flag),
        "unlearned": lambda row: (row.example.p_unlearned, row.example.flagged_unlearned),
        "words": lambda row: (row.p_words, row.p_words >= THRESHOLD),
    }
    found = {name: bootstrap(units, _scores(pick), resamples=_RESAMPLES) for name, pick in tables.items()}
    apart = bootstrap(units, _apart, resamples=_RESAMPLES)["difference"]
    safe = {row.example.group for row in judged if row.example.label == 0}
    reached = bootstrap([u for u in units if any(r.example.label == 0 for r in u)], _reached, resamples=_RESAMPLES)
    return Figures(
        runs=len(judged),
        unsafe=sum(row.example.label for row in judged),
        groups=len(groups),
        safe_groups=len(safe),
        **{name: {n: _measure(i) for n, i in each.items()} for name, each in found.items()},
        difference=_measure(apart),
        better=apart.low is not None and apart.low > 0.0,
        false_alarm=false_alarm,
        reached=_measure(reached["reached"]) if false_alarm is not None else None,
    )


def drawn(examples: Sequence[Example]) -> list[Example]:
    """Draws one safe run of every group, whatever its score: those of different groups are exchangeable."""
    found: dict[str, Example] = {}
    for example in sorted((e for e in examples if e.label == 0), key=lambda e: digest("lot", e.id)):
        found.setdefault(example.group, example)
    return list(found.values())


def _scores(
    pick: Callable[[Judged], tuple[float, bool]],
) -> Callable[[Sequence[Sequence[Judged]]], Mapping[str, float | None]]:
    def scores(sample: Sequence[Sequence[Judged]]) -> Mapping[str, float | None]:
        rows = [(row.example.label, *pick(row)) for group in sample for row in group]
        hit = sum(flag for label, _, flag in rows if label == 1)
        false = sum(flag for label, _, flag in rows if label == 0)
        unsafe = sum(label for label, _, _ in rows)
        safe = len(rows) - unsafe
        return {
            "f1": 2 * hit / (unsafe + hit + false) if unsafe else None,
            "precision": hit / (hit + false) if hit + false else None,
            "recall": hit / unsafe if unsafe else None,
            "auroc": auroc([(label, p) for label, p, _ in rows]),
            "false_alarms": false / safe if safe else None,
        }

    return scores


def _apart(sample: Sequence[Sequence[Judged]]) -> Mapping[str, float | None]:
    rows = [row for group in sample for row in group]
    unsafe = sum(row.example.label for row in rows)
    if not unsafe:
        return {"difference": None}

    def f1(flags: Sequence[bool]) -> float:
        hit = sum(row.example.label for row, flag in zip(rows, flags, strict=True) if flag)
        return 2 * hit / (unsafe + sum(flags))

    learned, unlearned = [r.flag for r in rows], [r.example.flagged_unlearned for r in rows]
    return {"difference": f1(learned) - f1(unlearned)}


def _reached(sample: Sequence[Sequence[Judged]]) -> Mapping[str, float | None]:
    """Mean over groups of the share of their safe runs that are flagged: of a run about a request of its own."""
    shares = []
    for group in sample:
        flags = [row.flag for row in group if row.example.label == 0]
        shares.append(sum(flags) / len(flags))
    return {"reached": sum(shares) / len(shares) if shares else None}


def _measure(found: Interval) -> Measure:
    return Measure(value=_rounded(found.value), low=_rounded(found.low), high=_rounded(found.high))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
