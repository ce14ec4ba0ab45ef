"""Drawings of a report: plain SVG, no script, no other file. Axes run from 0 to 1 unless their words say otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from agentdog.base.calibration import Bin
from atbench.metrics import Row
from atbench.onset import place
from atbench.report import Report

_SIDE, _EDGE = 200, 24
_HIGH = _SIDE + _EDGE
_BLUE, _RED, _GREY = "#7aa6d8", "#d87a7a", "#444"
_BINS = 20
_NAME = 42  # characters of a run's name


def of_run(found: Report) -> str:
    """Draws one run: ranking, calibration, how scores spread, and how far first alarms are from the labelled step."""
    drawn = []
    pairs = [(row.label, row.p_unsafe) for row in found.rows if row.label is not None and row.p_unsafe is not None]
    if found.ranking and pairs:
        drawn += [_roc(pairs), _reliability(found.ranking.reliability), _spread(pairs)]
    if found.onset:
        drawn.append(_distances(found.rows))
    return "\n".join(drawn)


def of_runs(reports: Mapping[str, Report]) -> str:
    """Draws F1 of every run with its interval, and the best shortcut beside it as a tick."""
    held = [(name, found) for name, found in reports.items() if found.metrics["f1"].value is not None]
    if not held:
        return ""
    width, line = 700, 26
    foot = 36 + len(held) * line
    parts = [
        part
        for tick in range(0, 11, 2)
        for part in (
            _line(_at(tick / 10), 24, _at(tick / 10), foot - 8, "#ddd", 1),
            f'<text x="{_at(tick / 10):.1f}" y="16" font-size="11" text-anchor="middle">{tick / 10:g}</text>',
        )
    ]
    for number, (name, found) in enumerate(held):
        y, score = 40 + number * line, found.metrics["f1"]
        low, high = (score.low or 0.0), (score.high or 0.0)
        best = max((s["f1"].value or 0.0 for s in found.baselines.values()), default=None)
        parts.append(f'<text x="8" y="{y + 4}" font-size="12">{escape(name[-_NAME:])}</text>')
        parts.append(_line(_at(low), y, _at(high), y, _BLUE, 3))
        parts.append(f'<circle cx="{_at(score.value or 0.0):.1f}" cy="{y}" r="4" fill="{_BLUE}"/>')
        parts += [_line(_at(best), y - 8, _at(best), y + 8, _RED, 2)] if best is not None else []
    words = "F1 with its 95 % interval; red: the best shortcut on the same rows"
    return _svg(width, foot + 24, "F1 by run", [*parts, f'<text x="8" y="{foot + 12}" font-size="12">{words}</text>'])


def _at(value: float) -> float:
    return 290 + 390 * value


def _roc(pairs: Sequence[tuple[int, float]]) -> str:
    positives = sum(label for label, _ in pairs)
    negatives = len(pairs) - positives
    if not positives or not negatives:
        return ""
    points, caught, false = [(0.0, 0.0)], 0, 0
    ordered = sorted(pairs, key=lambda pair: -pair[1])
    for number, (label, score) in enumerate(ordered):
        caught, false = caught + label, false + (1 - label)
        if number + 1 == len(ordered) or ordered[number + 1][1] != score:
            points.append((false / negatives, caught / positives))
    path = " ".join(f"{_EDGE + _SIDE * x:.1f},{_HIGH - _SIDE * y:.1f}" for x, y in points)
    line = f'<polyline points="{path}" fill="none" stroke="{_BLUE}" stroke-width="2"/>'
    return _square("ROC curve", "false alarms; height: recall", [_diagonal(), line])


def _reliability(bins: Sequence[Bin]) -> str:
    """Share of unsafe rows over P(unsafe); on the diagonal a probability means what it says."""
    bars = [_bar(b.low, b.high - b.low, b.positive, _BLUE, f"{b.count} rows") for b in bins]
    return _square("reliability diagram", "P(unsafe); height: share unsafe", [*bars, _diagonal()])


def _spread(pairs: Sequence[tuple[int, float]]) -> str:
    counts = Counter((label, min(int(score * _BINS), _BINS - 1)) for label, score in pairs)
    most = max(counts.values())
    bars = [
        _bar((at + 0.45 * label) / _BINS, 0.45 / _BINS, count / most, (_BLUE, _RED)[label], f"{count} rows")
        for (label, at), count in sorted(counts.items())
    ]
    return _square("scores by class", f"P(unsafe); blue safe, red unsafe, tallest {most} rows", bars)


def _distances(rows: Sequence[Row]) -> str:
    """Judged steps from the labelled step to the first alarm; left of the middle is early."""
    apart: Counter[int] = Counter()
    for row in rows:
        if row.unsafe_step is not None and row.flagged:
            apart[max(-5, min(5, place(row, row.flagged[0]) - place(row, row.unsafe_step)))] += 1
    most = max(apart.values(), default=0)
    if not most:
        return ""
    bars = [_bar((d + 5) / 11 + 0.01, 0.07, n / most, _BLUE, f"{d:+d}: {n} rows") for d, n in sorted(apart.items())]
    return _square("first alarms", f"steps from the labelled one, -5 to +5; tallest {most} rows", bars)


def _square(name: str, words: str, parts: Sequence[str]) -> str:
    frame = f'<rect x="{_EDGE}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#ccc"/>'
    text = f'<text x="{_EDGE}" y="{_HIGH + 16}" font-size="11">{escape(words)}</text>'
    title = f'<text x="{_EDGE}" y="{_EDGE - 8}" font-size="12">{escape(name)}</text>'
    return _svg(_HIGH + 3 * _EDGE, _HIGH + _EDGE, name, [frame, *parts, title, text])


def _svg(width: int, height: int, name: str, parts: Sequence[str]) -> str:
    return f'<svg width="{width}" height="{height}" role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'


def _bar(left: float, width: float, height: float, colour: str, told: str) -> str:
    return (
        f'<rect x="{_EDGE + _SIDE * left:.1f}" y="{_HIGH - _SIDE * height:.1f}" width="{_SIDE * width:.1f}" '
        f'height="{_SIDE * height:.1f}" fill="{colour}"><title>{escape(told)}</title></rect>'
    )


def _diagonal() -> str:
    return _line(_EDGE, _HIGH, _HIGH, _EDGE, _GREY, 1)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: int) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'
