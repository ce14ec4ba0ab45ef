"""Times as people read them: a length, and of many the middle, the slow end, and bars. Pure."""

from __future__ import annotations

from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import Timing

_WORTH_SAYING_S = 0.001
KINDS = {
    "guard": "From asking the guard to its answer",
    "span_end": "From the end of a step's span to its verdict",
    "arrival": "From a step's arrival here to its verdict",
}


def lasted(seconds: float | None) -> str:
    """Words a length of time; nothing below a millisecond, which mostly says that no clock was read."""
    return wording.duration(seconds) if seconds is not None and seconds >= _WORTH_SAYING_S else ""


def quantile(timing: Timing, share: float) -> str:
    """Words the time that this share of all was within: no finer than the parts, so ``≤ 200 ms``."""
    total = sum(timing["counts"])
    if not total:
        return ""
    seen = 0
    for at, count in enumerate(timing["counts"]):
        seen += count
        if seen >= share * total:
            bounds = timing["bounds"]
            return f"≤ {wording.duration(bounds[at])}" if at < len(bounds) else f"> {wording.duration(bounds[-1])}"
    return ""


def lines(timing: Timing) -> list[list[Any]]:
    """One line per part that holds something, for the table: up to, how many, and which share."""
    total = sum(timing["counts"]) or 1
    bounds = timing["bounds"]
    names = [f"≤ {wording.duration(bound)}" for bound in bounds] + [f"> {wording.duration(bounds[-1])}"]
    return [
        [name, {"text": f"{count:,}", "bar": count / total}]
        for name, count in zip(names, timing["counts"], strict=True)
        if count
    ]
