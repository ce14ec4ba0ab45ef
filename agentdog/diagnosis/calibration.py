"""The default threshold of a guard: on the *maximum* over a run's steps.

A guard's own cut at 0.5 is made for one verdict. A run of forty steps gives it forty chances, so the threshold for
alerts is calibrated on the highest P(unsafe) of benign runs, one score per independent group (split conformal): a new
benign run exceeds it with at most the promised probability. It never makes anything red that the guard calls safe;
lowering the bar is a decision of people (`agentdog.diagnosis.tuning`). A guard without one alerts on whatever it calls
unsafe, and says that it is uncalibrated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

import msgspec

from agentdog.base.calibration import conformal_threshold, rows_needed
from agentdog.base.errors import UsageError

#: The share of benign runs that may alert where nobody says otherwise.
FALSE_ALARM = 0.05


class Calibration(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The threshold of one guard on the highest P(unsafe) over a run's steps.

    Attributes:
        guard: fingerprint of the guard whose verdicts it rests on; it holds for no other.
        threshold: of the scores that it was fitted on; an incident alerts above it.
        false_alarm: the share of benign runs that may exceed it, as promised.
        groups: independent groups of benign runs that it was fitted on.
        source: which runs, in words.
        time: RFC 3339, when.
    """

    guard: str
    threshold: float
    false_alarm: float
    groups: int
    source: str
    time: str | None = None

    @property
    def alert_from(self) -> float:
        """The least P(unsafe) that alerts: the next number above the threshold, which benign runs may reach."""
        return math.nextafter(self.threshold, math.inf)


def calibrate(
    scores: Mapping[str, Sequence[float]],
    guard: str,
    *,
    false_alarm: float = FALSE_ALARM,
    source: str,
    time: str | None = None,
) -> Calibration:
    """Fits the threshold.

    Args:
        scores: the highest P(unsafe) of each benign run, by group of runs that are not independent.
        guard: fingerprint.
        false_alarm: share of benign runs that may exceed the threshold, in (0, 1).
        source: which runs, in words.
        time: RFC 3339.

    Raises:
        UsageError: too few groups for that promise.
    """
    highest = [max(group) for group in scores.values() if group]
    at = conformal_threshold(highest, false_alarm)
    if at is None:
        needed = rows_needed(false_alarm)
        raise UsageError(
            f"{len(highest)} groups of benign runs cannot promise that at most {false_alarm:.1%} alert: {needed} are "
            "needed; bring more benign runs, or allow more false alarms"
        )
    return Calibration(
        guard=guard, threshold=at, false_alarm=false_alarm, groups=len(highest), source=source, time=time
    )


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Calibration]:
    raw = files("agentdog.diagnosis").joinpath("calibrations.json").read_bytes()
    return {each.guard: each for each in msgspec.json.decode(raw, type=list[Calibration])}


def shipped(guard: str) -> Calibration | None:
    """Returns the calibration that comes with this version for a guard; ``None`` where there is none."""
    return _shipped().get(guard)
