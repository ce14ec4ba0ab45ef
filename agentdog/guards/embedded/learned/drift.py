"""Whether a project's runs are still like those that a model was learned from: a test on how many words are new.

Invariant: pure. A model that reads words cannot weigh those it never met; when runs hold many more of them than
held-out reviewed runs did, its figures no longer speak for it.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence

import msgspec

from agentdog.base.calibration import auroc
from agentdog.guards.embedded.learned.reading import Words

FEWEST = 20
MOST = 100
"""Runs from which the test is made; the newest runs that it looks at."""
_APART = 0.75
"""How often a new run must hold more new words than a reviewed one (0.5: the same): less is no reason to switch off."""
_SIGMAS = 3.3
"""And how surely: chance does that once in two thousand tests."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What the test found.

    Attributes:
        runs: newest runs that were looked at.
        new: median share of new words in them.
        before: that of reviewed runs when the model was learned, held out.
        apart: how often a new run holds more of them than a reviewed one; 0.5 where they are alike.
        drifted: whether the model should no longer decide.
    """

    runs: int
    new: float | None
    before: float | None
    apart: float | None
    drifted: bool


def share_new(texts: Iterable[Words], known: Container[str]) -> float:
    """Returns the share of a run's different words that a vocabulary does not have; 0 of a run without words."""
    single = {word for words in texts for word in words if " " not in word}
    return sum(word not in known for word in single) / len(single) if single else 0.0


def test(before: Sequence[float], now: Sequence[float]) -> Drift:
    """Compares shares of new words: reviewed runs' with those of the newest runs (Mann & Whitney 1947, one-sided)."""
    now = now[-MOST:]
    apart = auroc([(0, share) for share in before] + [(1, share) for share in now])
    drifted = False
    if apart is not None and len(now) >= FEWEST:
        spread = math.sqrt((len(before) + len(now) + 1) / (12 * len(before) * len(now)))
        drifted = apart >= _APART and (apart - 0.5) / spread >= _SIGMAS
    return Drift(
        runs=len(now), new=_median(now), before=_median(before), apart=apart and round(apart, 4), drifted=drifted
    )


def _median(values: Sequence[float]) -> float | None:
    return round(sorted(values)[len(values) // 2], 4) if values else None
