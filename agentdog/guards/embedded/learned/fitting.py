"""Fits the weights of a learned model: logistic regression over words and signals of every agent step.

A run's label says of its steps: of a run that is safe every prefix is; of one that is unsafe the step where it goes
wrong and those behind it, or its last step where nobody said which. Each run weighs the same, and so does each class.
Needs scikit-learn (extra ``learn``), and only here: what is learned is read without it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agentdog.base.errors import UsageError
from agentdog.guards.embedded.learned.model import Block, Sum
from agentdog.guards.embedded.learned.reading import Seen, Words

STRENGTH = 30.0
"""Inverse of the L2 penalty (scikit-learn's C)."""
SCALES = {"ran": 0.5, "now": 1.0, "did": 0.5}
"""How far the fit may lean on each block: what the agent does now tells more than all that was said before."""
VOCABULARY = 20_000
RARE = 2
MOST_STEPS = 24
"""Words of one block at most, the most frequent; texts in which a word must stand to be one of them; steps that stand
for one run, the last ones and others evenly before them."""
_SOLVER: dict[str, Any] = {"solver": "liblinear", "max_iter": 1000, "intercept_scaling": 10.0, "random_state": 0}
"""A trust-region Newton method: a second for a thousand runs, and it does not depend on the number of cores."""
MISSING = "learning needs scikit-learn; pip install 'agentdog-sidecar[learn]'"


class Example(NamedTuple):
    """One reviewed run: what was read of it, what people say, and which runs are about the same thing."""

    id: str
    group: str
    label: int
    onset: int | None
    seen: Sequence[Seen]
    p_unlearned: float
    flagged_unlearned: bool


class Weights(NamedTuple):
    """What decides, before it is calibrated."""

    ran: Block
    now: Block
    did: dict[str, float]
    bias: float

    def score(self, example: Example) -> float:
        """Returns the log-odds of a run's highest agent step; the bias alone of a run without one."""
        ran, best = Sum(self.ran), -math.inf
        for seen in example.seen:
            ran.add(seen.new)
            now = Sum(self.now)
            now.add(seen.now)
            did = sum(self.did.get(name, 0.0) * value for name, value in seen.did.items())
            best = max(best, self.bias + ran.value() + now.value() + did)
        return self.bias if best == -math.inf else best


def fit(examples: Sequence[Example]) -> Weights:
    """Fits weights.

    Raises:
        UsageError: scikit-learn is not installed, or only one class is there.
    """
    logistic = _logistic_regression()
    if len({e.label for e in examples}) < 2:
        raise UsageError("reviews: runs of both kinds are needed, safe and unsafe")
    taken = _take(examples)
    ran, now = _vocabulary([_whole(e) for e in examples]), _vocabulary([s.now for e in examples for s in e.seen])
    names = sorted({name for did in taken.did for name in did})
    matrix = _matrix([_vectors(taken.ran, ran), _vectors(taken.now, now)], _signals(taken.did, names))
    model = logistic(C=STRENGTH, **_SOLVER)
    model.fit(matrix, taken.labels, sample_weight=taken.weights)
    given = [float(w) for w in model.coef_[0]]
    first, second = len(ran[0]), len(ran[0]) + len(now[0])
    return Weights(
        ran=_block(ran, given[:first], SCALES["ran"]),
        now=_block(now, given[first:second], SCALES["now"]),
        did={n: round(w * SCALES["did"], 5) for n, w in zip(names, given[second:], strict=True) if abs(w) > 1e-4},
        bias=round(float(model.intercept_[0]), 5),
    )


def words_only(train: Sequence[Example], test: Sequence[Example]) -> list[float]:
    """P(unsafe) by TF-IDF words and logistic regression over whole runs: what a learned model is held against."""
    logistic = _logistic_regression()
    texts = [_whole(e) for e in train]
    vocabulary = _vocabulary(texts)
    model = logistic(C=10.0, class_weight="balanced", **_SOLVER)
    model.fit(_matrix([_vectors(texts, vocabulary)]), [e.label for e in train])
    found = model.predict_proba(_matrix([_vectors([_whole(e) for e in test], vocabulary)]))
    return [float(p) for p in found[:, 1]]


def platt(pairs: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Fits slope and shift from scores to log-odds, on rows that the scores' model had not seen (Platt 1999).

    Returns:
        A slope that is never negative, so that the order stays.
    """
    import numpy
    from scipy.optimize import minimize

    labels, scores = numpy.array([float(label) for label, _ in pairs]), numpy.array([score for _, score in pairs])
    positive = labels.sum()
    # Platt's smoothed targets: few rows must not end in certainty.
    target = numpy.where(labels > 0, (positive + 1) / (positive + 2), 1 / (len(labels) - positive + 2))

    def loss(given: Any) -> float:  # noqa: ANN401 - numpy array
        z = given[0] * scores + given[1]
        return float((numpy.logaddexp(0, z) - target * z).sum())

    found = minimize(loss, numpy.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(1e-3, 20.0), (None, None)]).x
    return round(float(found[0]), 5), round(float(found[1]), 5)


def _logistic_regression() -> Any:  # noqa: ANN401 - scikit-learn has no types
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise UsageError(MISSING) from error
    return LogisticRegression


def _whole(example: Example) -> Words:
    found: Words = Counter()
    for seen in example.seen:
        found.update(seen.new)
    return found


class _Taken(NamedTuple):
    """The steps that stand for their runs: words so far, own words, signals; label and weight of each."""

    ran: list[Words]
    now: list[Words]
    did: list[Mapping[str, float]]
    labels: list[int]
    weights: list[float]


def _take(examples: Sequence[Example]) -> _Taken:
    taken = _Taken([], [], [], [], [])
    runs = Counter(e.label for e in examples if e.seen)
    for example in examples:
        standing = _standing(example)
        so_far: Words = Counter()
        for place, seen in enumerate(example.seen):
            so_far.update(seen.new)
            if place in standing:
                taken.ran.append(Counter(so_far))
                taken.now.append(seen.now)
                taken.did.append(seen.did)
                taken.labels.append(example.label)
                taken.weights.append(sum(runs.values()) / 2 / runs[example.label] / len(standing))
    return taken


def _standing(example: Example) -> frozenset[int]:
    """Places of the agent steps that stand for a run: all of a safe one's; an unsafe one's from where it goes wrong."""
    last = len(example.seen) - 1
    if example.label == 0:
        places = list(range(last + 1))
    elif example.onset is None:
        places = [last] if example.seen else []
    else:
        places = [k for k, s in enumerate(example.seen) if s.step >= example.onset] or [last][: len(example.seen)]
    apart = max(1.0, len(places) / MOST_STEPS)
    return frozenset(places[-1 - int(k * apart)] for k in range(min(len(places), MOST_STEPS)))


def _vocabulary(texts: Sequence[Words]) -> tuple[dict[str, int], list[float]]:
    """The most frequent words with their places, and how rare each is."""
    found: Counter[str] = Counter()
    for text in texts:
        found.update(text.keys())
    common = sorted((w for w, c in found.items() if c >= RARE), key=lambda w: (-found[w], w))[:VOCABULARY]
    rarity = [round(math.log((1 + len(texts)) / (1 + found[w])) + 1.0, 4) for w in common]
    return {w: k for k, w in enumerate(common)}, rarity


def _vectors(texts: Sequence[Words], vocabulary: tuple[dict[str, int], list[float]]) -> Any:  # noqa: ANN401 - sparse matrix
    """TF-IDF with sublinear counts, each row of length 1."""
    from scipy.sparse import csr_matrix

    places, rarity = vocabulary
    columns: list[int] = []
    values: list[float] = []
    ends = [0]
    for text in texts:
        row = [(places[w], (1.0 + math.log(c))) for w, c in text.items() if w in places]
        held = [(k, v * rarity[k]) for k, v in row]
        norm = math.sqrt(sum(v * v for _, v in held)) or 1.0
        columns += [k for k, _ in held]
        values += [v / norm for _, v in held]
        ends.append(len(columns))
    return csr_matrix((values, columns, ends), shape=(len(texts), len(places)))


def _signals(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Any:  # noqa: ANN401 - sparse matrix
    from scipy.sparse import csr_matrix

    return csr_matrix([[row.get(name, 0.0) for name in names] for row in rows])


def _matrix(blocks: Sequence[Any], signals: Any = None) -> Any:  # noqa: ANN401 - sparse matrices
    from scipy.sparse import hstack

    if signals is None:
        return hstack(blocks).tocsr()
    ran, now = blocks
    return hstack([ran * SCALES["ran"], now * SCALES["now"], signals * SCALES["did"]]).tocsr()


def _block(vocabulary: tuple[dict[str, int], list[float]], weights: Sequence[float], scale: float) -> Block:
    places, rarity = vocabulary
    return Block(words=list(places), rarity=rarity, weights=[round(w * scale, 4) for w in weights])
