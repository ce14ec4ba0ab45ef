"""The last minutes as strips of bars: records and verdicts a second, and time to a verdict. Pure.

Invariant: the part that still goes on is in no rate, since it is not over; a quantile is no finer than its histogram.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import Moment, Rates, Timing
from dashboard.timing import quantile

#: Parts from which the present rate is told: one alone jumps.
_NOW = 3


def strips(rates: Rates) -> list[dict[str, Any]]:
    """Words three strips; each bar has its height in [0, 1] and what it says."""
    moments = rates["items"][:-1]
    slot = rates["slot_s"]
    minutes = round(len(moments) * slot / 60)
    return [
        _rate("Records a second", [each.get("records", 0) for each in moments], moments, slot, minutes),
        _rate("Verdicts a second", [each.get("verdicts", 0) for each in moments], moments, slot, minutes),
        _latency(rates, moments, minutes),
    ]


def _rate(title: str, counts: Sequence[int], moments: Sequence[Moment], slot: int, minutes: int) -> dict[str, Any]:
    most = max(counts, default=0)
    recent = counts[-_NOW:]
    now = sum(recent) / (slot * len(recent)) if recent else 0.0
    bars = [
        {"h": count / most if most else 0.0, "text": f"{wording.when(each['time'])}: {count / slot:,.1f} a second"}
        for count, each in zip(counts, moments, strict=True)
    ]
    detail = f"at most {most / slot:,.1f} · {sum(counts):,} in {minutes} min"
    return {"title": title, "now": f"{now:,.1f}", "detail": detail, "bars": bars}


def _latency(rates: Rates, moments: Sequence[Moment], minutes: int) -> dict[str, Any]:
    bounds = rates["bounds"]
    parts = len(bounds) + 1
    total = [sum(each["latency"][at] for each in moments if each.get("latency")) for at in range(parts)]
    bars = []
    for each in moments:
        counts = each.get("latency") or []
        p50, p99 = (_at(counts, share) for share in (0.5, 0.99))
        text = f"p50 {_words(bounds, counts, 0.5)}, p99 {_words(bounds, counts, 0.99)}" if counts else "no verdict"
        bars.append({"h": p99 / parts, "low": p50 / parts, "text": f"{wording.when(each['time'])}: {text}"})
    said = f"p99 {_words(bounds, total, 0.99)} in {minutes} min" if any(total) else f"no verdict in {minutes} min"
    return {
        "title": "Step to verdict",
        "now": _words(bounds, total, 0.5) or "-",
        "detail": f"p50 · {said}",
        "bars": bars,
    }


def _at(counts: Sequence[int], share: float) -> int:
    """How many parts of a histogram hold this share; 0 where it holds nothing."""
    total, seen = sum(counts), 0
    for at, count in enumerate(counts):
        seen += count
        if total and seen >= share * total:
            return at + 1
    return 0


def _words(bounds: Sequence[float], counts: Sequence[int], share: float) -> str:
    timing: Timing = {"kind": "arrival", "bounds": list(bounds), "counts": list(counts), "seconds": 0.0}
    return quantile(timing, share)
