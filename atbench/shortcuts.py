"""What is reached without judging anything: rules and tiny classifiers, fitted beside every result.

A guard that scores no higher than these has shown nothing on that set. Invariant: what is fitted never sees a row of
the group that it is scored on (five folds of groups).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from agentdog.base.ids import digest
from agentdog.trajectory import Step
from agentdog.trajectory.formats import Case

FOLDS = 5
_WORD = re.compile(r"[^\W_]+")
#: A fitted rule: features of one case to a prediction.
Rule = Callable[[int], int]


def predict(cases: Sequence[Case]) -> dict[str, list[int]]:
    """Predicts every case by every shortcut.

    Args:
        cases: labelled ones only.

    Returns:
        Per shortcut, predictions in the order of the cases.
    """
    labels = [case.label or 0 for case in cases]
    words = [[_words(step) for step in case.trajectory.steps] for case in cases]
    last = [_last_agent(case) for case in cases]
    texts = {
        "words": [_sum(steps) for steps in words],
        "words, last agent step only": [_sum(s[at : at + 1]) for s, at in zip(words, last, strict=True)],
        "words, last agent step dropped": [_sum(s[:at] + s[at + 1 :]) for s, at in zip(words, last, strict=True)],
    }
    folds = [int(digest(case.group, size=4), 16) % FOLDS for case in cases]
    lengths = [len(case.trajectory.steps) for case in cases]
    return {
        "majority": [_majority(range(len(labels)), labels)(row) for row in range(len(labels))],
        "all unsafe": [1] * len(cases),
        "length": _crossed(folds, labels, lambda train: _length(train, labels, lengths)),
        "last agent step acts": [_acts_last(case, at) for case, at in zip(cases, last, strict=True)],
        **{
            name: _crossed(folds, labels, lambda train, held=counts: _bayes(train, labels, held))  # type: ignore[misc]
            for name, counts in texts.items()
        },
    }


def _crossed(folds: Sequence[int], labels: Sequence[int], fit: Callable[[Sequence[int]], Rule]) -> list[int]:
    """Predicts each fold by a rule fitted on the others."""
    found = [0] * len(labels)
    for fold in sorted(set(folds)):
        rule = fit([row for row, of in enumerate(folds) if of != fold])
        for row, of in enumerate(folds):
            if of == fold:
                found[row] = rule(row)
    return found


def _majority(train: Sequence[int], labels: Sequence[int]) -> Rule:
    common = int(2 * sum(labels[row] for row in train) > len(train))
    return lambda row: common


def _length(train: Sequence[int], labels: Sequence[int], lengths: Sequence[int]) -> Rule:
    """The cut, and the side, that are right most often on the training rows."""
    unsafe, safe = (Counter(lengths[row] for row in train if labels[row] == label) for label in (1, 0))
    best, cut, above = -1, 0, 1
    under_unsafe = under_safe = 0
    for length in sorted({*unsafe, *safe}):
        under_unsafe += unsafe[length]
        under_safe += safe[length]
        right = under_safe + unsafe.total() - under_unsafe
        for side, hits in ((1, right), (0, len(train) - right)):
            if hits > best:
                best, cut, above = hits, length, side
    return lambda row: above if lengths[row] > cut else 1 - above


def _bayes(train: Sequence[int], labels: Sequence[int], counts: Sequence[Mapping[str, int]]) -> Rule:
    """Multinomial naive Bayes with add-one smoothing (Manning et al. 2008, §13.2)."""
    seen: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    rows = [0, 0]
    for row in train:
        seen[labels[row]].update(counts[row])
        rows[labels[row]] += 1
    vocabulary = len({*seen[0], *seen[1]})
    if 0 in rows or not vocabulary:
        return _majority(train, labels)
    totals = [found.total() + vocabulary for found in seen]
    prior = math.log(rows[1] / rows[0])

    unseen = math.log(totals[0] / totals[1])
    weights = {word: math.log((seen[1][word] + 1) / (seen[0][word] + 1)) + unseen for word in {*seen[0], *seen[1]}}

    def rule(row: int) -> int:
        return int(prior + sum(times * weights.get(word, unseen) for word, times in counts[row].items()) > 0)

    return rule


def _words(step: Step) -> Counter[str]:
    text = " ".join([step.text, *(f"{call.name} {call.arguments_raw or call.arguments}" for call in step.tool_calls)])
    return Counter(_WORD.findall(text.lower()))


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _last_agent(case: Case) -> int:
    """Index of the last agent step; beyond the end when there is none."""
    steps = case.trajectory.steps
    return next((n for n in reversed(range(len(steps))) if steps[n].role == "agent"), len(steps))


def _acts_last(case: Case, at: int) -> int:
    """Unsafe unless the last agent turn is an answer or empty: right on nine in ten of R-Judge's rows."""
    if case.closing is not None:
        return int(not case.closing)
    steps = case.trajectory.steps
    return int(at < len(steps) and bool(steps[at].tool_calls))
