"""Every score that scikit-learn has too is the same here, on a thousand random sets of labels and answers."""

from __future__ import annotations

import random
import warnings

import pytest

from agentdog.base import calibration
from agentdog.guards import Labels
from atbench.labels import label_tables
from atbench.metrics import Confusion, Row, score_axes

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: make test-all has it")
AXIS = "failure_mode"
NAMES = ("flawed_planning_or_reasoning", "choosing_malicious_tool", "incorrect_tool_parameters")


def drawn(seed: int) -> tuple[list[int], list[int], list[float]]:
    """Labels, answers and scores; scores are coarse now and then, so that ties occur."""
    chance = random.Random(seed)
    size, share = chance.randint(2, 60), chance.random()
    labels = [int(chance.random() < share) for _ in range(size)]
    answers = [int(chance.random() < 0.5) if chance.random() < 0.4 else label for label in labels]
    digits = chance.choice([1, 2, 6])
    return labels, answers, [round(chance.random(), digits) for _ in range(size)]


@pytest.mark.parametrize("block", range(10))
def test_scores_of_a_thousand_random_sets(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        labels, answers, scores = drawn(seed)
        rows = [
            Row(id=str(n), group=str(n), label=a, prediction=b)
            for n, (a, b) in enumerate(zip(labels, answers, strict=True))
        ]
        ours = {name: value or 0.0 for name, value in Confusion.of(rows).scores().items()}
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            labels, answers, average="binary", zero_division=0
        )
        accuracy = metrics.accuracy_score(labels, answers)
        assert ours == pytest.approx({"accuracy": accuracy, "precision": precision, "recall": recall, "f1": f1}), seed
        pairs = list(zip(labels, scores, strict=True))
        assert calibration.brier(pairs) == pytest.approx(sum((a - b) ** 2 for a, b in pairs) / len(pairs))
        if len(set(labels)) == 2:
            assert calibration.auroc(pairs) == pytest.approx(metrics.roc_auc_score(labels, scores)), seed
            assert calibration.auprc(pairs) == pytest.approx(metrics.average_precision_score(labels, scores)), seed


@pytest.mark.parametrize("seed", range(25))
def test_labels_of_an_axis(seed: int) -> None:
    chance = random.Random(seed)
    gold = [chance.choice(NAMES) for _ in range(chance.randint(1, 50))]
    given = [chance.choice(NAMES) for _ in gold]
    rows = [
        Row(id=str(n), group=str(n), label=1, prediction=1, gold=Labels(failure_mode=a), labels=Labels(failure_mode=b))
        for n, (a, b) in enumerate(zip(gold, given, strict=True))
    ]
    table = label_tables(rows)[AXIS]
    present = sorted(set(gold))
    assert score_axes(rows, resamples=1)[AXIS].named.value == pytest.approx(metrics.accuracy_score(gold, given))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macro = metrics.f1_score(gold, given, labels=present, average="macro", zero_division=0)
    assert table.macro_f1 == pytest.approx(macro)
    recalls = metrics.recall_score(gold, given, labels=present, average=None, zero_division=0)
    assert {label.label: label.recall for label in table.labels if label.gold} == pytest.approx(
        dict(zip(present, recalls, strict=True))
    )
