"""Which integer counts a published row of rounded scores can come from."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import msgspec

from atbench.metrics import Confusion, Row, score
from atbench.published import SCORES, Anchor

_DIGIT = Decimal("0.1")


class Fit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Whether whole rows give a row's digits.

    Attributes:
        counts: tp, fp, fn and tn that do, the first of `ways` such; of a row of labels, how many are right per axis.
        recomputed: what `atbench score` prints for these counts.
        why: why nothing can be said, such as totals that no source states; with neither this nor counts, none fit.
    """

    counts: dict[str, int] | None = None
    ways: int = 0
    recomputed: dict[str, str] | None = None
    why: str | None = None

    @property
    def fits(self) -> bool | None:
        """Whether any do; ``None`` when nothing can be said."""
        return None if self.why else self.counts is not None

    def told(self) -> str:
        """A few words for people."""
        if self.counts is None:
            return self.why or "FIT NONE"
        return " ".join(map(str, self.counts.values())) + (f" ({self.ways} ways)" if self.ways > 1 else "")


def fit(anchor: Anchor) -> Fit:
    """Looks for counts behind a published row, and scores them as a run is scored."""
    if anchor.unsafe is None:
        return Fit(why="balance not stated")
    if anchor.part == "labels":
        return _fit_labels(anchor)
    found = fitting(tuple(anchor.printed.get(name) for name in SCORES), anchor.unsafe, anchor.rows - anchor.unsafe)
    if not found:
        return Fit()
    scores = score(rows_with(found[0]), resamples=1)
    shown = {name: f"{100 * (scores[name].value or 0.0):.1f}" for name in anchor.printed}
    return Fit(counts=found[0]._asdict(), ways=len(found), recomputed=shown)


def rows_with(counts: Confusion) -> list[Row]:
    """Returns rows that give these counts."""
    kinds = ((1, 1, counts.tp), (0, 1, counts.fp), (1, 0, counts.fn), (0, 0, counts.tn))
    pairs = [(label, prediction) for label, prediction, count in kinds for _ in range(count)]
    return [Row(id=str(n), group=str(n), label=label, prediction=said) for n, (label, said) in enumerate(pairs)]


def _fit_labels(anchor: Anchor) -> Fit:
    unsafe, counts = anchor.unsafe or 0, {}
    for axis, printed in anchor.printed.items():
        right = next((n for n in range(unsafe + 1) if _prints(Fraction(n, unsafe), printed)), None)
        if right is None:
            return Fit()
        counts[axis] = right
    shown = {axis: f"{100 * right / unsafe:.1f}" for axis, right in counts.items()}
    return Fit(counts=counts, ways=1, recomputed=shown)


def fitting(printed: Sequence[str | None], positives: int, negatives: int) -> list[Confusion]:
    """Returns every confusion whose accuracy, precision, recall and F1 print as given.

    Args:
        printed: per cent with one digit behind the point, in that order; ``None`` where a source prints none.
        positives: unsafe rows of the set.
        negatives: safe rows of the set.

    Returns:
        None when no integer counts give these digits: a misprint, other totals, or rows left out.
    """
    found = []
    for tp in range(positives + 1):
        if not _prints(Fraction(tp, positives), printed[2]):
            continue
        for fp in range(negatives + 1):
            scores = (
                Fraction(tp + negatives - fp, positives + negatives),
                Fraction(tp, tp + fp) if tp + fp else Fraction(0),
                Fraction(tp, positives),
                Fraction(2 * tp, tp + fp + positives),
            )
            if all(_prints(score, text) for score, text in zip(scores, printed, strict=True)):
                found.append(Confusion(tp=tp, fp=fp, fn=positives - tp, tn=negatives - fp))
    return found


def _prints(share: Fraction, text: str | None) -> bool:
    """Whether a share rounds to the digits, either way that halves are rounded."""
    if text is None:
        return True
    percent = Decimal(100 * share.numerator) / Decimal(share.denominator)
    return Decimal(text) in {percent.quantize(_DIGIT, rounding) for rounding in (ROUND_HALF_EVEN, ROUND_HALF_UP)}
