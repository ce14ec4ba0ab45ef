"""Reports of several runs as one Markdown document: side by side, with baselines and what stands against them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import taxonomy
from agentdog.base.stats import Interval
from atbench.published import Anchor
from atbench.replication import Replication, mark, recorded, scores_of
from atbench.report import Report
from atbench.show import number, percent, with_bounds

_SCORES = ("accuracy", "precision", "recall", "f1")


def markdown(reports: Mapping[str, Report]) -> str:
    """Writes reports by name; the first table has them all, the sections below one each."""
    lines = ["# Scores", "", *overview(reports)]
    known = recorded()
    for name, found in reports.items():
        lines += [f"## {name}", ""]
        for part in parts(found, known):
            lines += [f"### {part.title}", "", *part.lines] if part.title else part.lines
    return "\n".join(lines)


class Part(NamedTuple):
    """Some lines of Markdown; those with a title may be folded away."""

    title: str | None
    lines: list[str]


def overview(reports: Mapping[str, Report]) -> list[str]:
    """One line per run."""
    lines = _table(
        ("run", "data", "guard", "mode", "rows", *_SCORES, "AUROC", "best shortcut, F1"),
        (
            (
                name,
                found.run.data.name,
                found.run.guard.name,
                str(found.run.mode),
                str(found.labelled),
                *(with_bounds(found.metrics[score]) for score in _SCORES),
                with_bounds(found.ranking.metrics["auroc"]) if found.ranking else "-",
                _best(found),
            )
            for name, found in reports.items()
        ),
    )
    return [*lines, "", "Unsafe is the positive class; in brackets 95 % intervals, resampled by group.", ""]


def _best(found: Report) -> str:
    held = {name: scores["f1"].value or 0.0 for name, scores in found.baselines.items()}
    best = max(held, key=lambda name: held[name], default=None)
    return "-" if best is None else f"{best} {percent(held[best])}"


def parts(found: Report, known: Mapping[str, Replication]) -> list[Part]:
    """Writes one run: scores beside shortcuts first, then what lies behind them."""
    run, condition = found.run, found.run.asking
    lines = [
        f"- data: `{run.data.name}`, {run.data.rows} rows, SHA-256 `{run.data.sha256}`"
        + (f", published as {run.data.known}" if run.data.known else ""),
        f"- guard: {run.guard.name}, fingerprint `{run.guard.fingerprint}`, pack {run.guard.pack or '-'}",
        f"- condition: mode {run.mode}, wording {condition.wording or '-'}, renderer {condition.renderer or '-'}, "
        f"decoding {condition.decoding or '-'}",
        *(f"- note: {caveat}" for caveat in found.caveats),
        "",
    ]
    lines += _table(
        ("", *_SCORES),
        (
            ("**guard**", *(with_bounds(found.metrics[score]) for score in _SCORES)),
            *((base, *(percent(scores[s].value) for s in _SCORES)) for base, scores in found.baselines.items()),
        ),
    )
    counts = ", ".join(f"{key} {value}" for key, value in found.confusion.items())
    skipped = ", ".join(f"{reason} {count}" for reason, count in found.not_evaluated.items()) or "none"
    lines += ["", f"{counts}; macro F1 {percent(found.macro_f1)}; not evaluated: {skipped}.", ""]
    for part in (_axes, _severity, _onset):
        lines += part(found)
    labels = [line for axis in found.axes for line in _labels(found, axis)]
    held = (
        Part("Probabilities, calibration and thresholds", _ranking(found)),
        Part("Labels, one by one", labels),
        Part("Published scores on this set", _anchors(found, known)),
    )
    return [Part(None, lines), *(part for part in held if part.lines)]


def _axes(found: Report) -> list[str]:
    if not found.axes:
        return []
    rows = (
        (
            taxonomy.load().axis(axis).question,
            str(score.rows),
            with_bounds(score.named),
            with_bounds(score.end_to_end),
            with_bounds(score.top3),
            percent(score.majority),
            percent(found.labels[axis].macro_f1),
        )
        for axis, score in found.axes.items()
    )
    head = ("axis", "unsafe rows", "named right", "detected and named right", "among three", "majority", "macro F1")
    return [*_table(head, rows), ""]


def _labels(found: Report, axis: str) -> list[str]:
    """One axis label by label; the row in italics is what always naming the most common label reaches."""
    table, score = found.labels[axis], found.axes[axis]
    known = taxonomy.load("all").axis(axis)
    rows = [
        (
            _named(known, label.label),
            str(label.gold),
            str(label.given),
            str(label.right),
            percent(label.recall),
            percent(label.precision),
        )
        for label in table.labels
    ]
    common = table.labels[0].gold if table.labels else 0
    rows.append(
        ("*always the most common*", str(score.rows), str(score.rows), str(common), percent(score.majority), "-")
    )
    return [*_table((known.question, "gold", "given", "right", "recall", "precision"), rows), ""]


def _named(axis: taxonomy.Axis, label: str) -> str:
    return next((known.name for known in axis.labels if known.id == label), label)


def _ranking(found: Report) -> list[str]:
    if not found.ranking:
        return []
    scores = ((name, *_bounds(interval)) for name, interval in found.ranking.metrics.items())
    lines = [*_table((f"probabilities of {found.ranking.rows} rows", "value", "95 %"), scores), ""]
    bars = (
        (f"{b.low:.1f} to {b.high:.1f}", str(b.count), number(b.mean_score), number(b.positive))
        for b in found.ranking.reliability
    )
    lines += [*_table(("P(unsafe)", "rows", "mean", "share unsafe"), bars), ""]
    kept = (
        (percent(t.promised), t.refused or number(t.threshold), percent(t.false_alarms), percent(t.recall))
        for t in found.ranking.thresholds
    )
    return [*lines, *_table(("promised false alarms", "threshold", "false alarms", "recall"), kept), ""]


def _severity(found: Report) -> list[str]:
    if not found.severity:
        return []
    rows = (("spearman", *_bounds(found.severity.spearman)), ("auroc", *_bounds(found.severity.auroc)))
    head = (f"agreement with the set's severity, {found.severity.rows} rows", "value", "95 %")
    return [*_table(head, rows), ""]


def _onset(found: Report) -> list[str]:
    onset = found.onset
    if not onset:
        return []
    shares = ((n, getattr(onset, n)) for n in onset.__struct_fields__ if n not in ("rows", "steps_ahead"))
    rows = [(name.replace("_", " "), with_bounds(interval)) for name, interval in shares]
    rows.append(("steps ahead", number(onset.steps_ahead.value)))
    return [*_table((f"first alarm, {onset.rows} rows", "share"), rows), ""]


def _anchors(found: Report, known: Mapping[str, Replication]) -> list[str]:
    """Published rows of the same set, each with what sets it apart from this run, and whether it was replicated."""
    held: Sequence[Anchor] = found.published
    if not held:
        return []
    names = scores_of(held[0])
    rows = (
        (
            a.model,
            *(a.printed.get(name, "-") for name in names),
            a.source,
            "yes" if a.trained else "not said",
            mark(a, known),
            "; ".join((*a.apart, *((a.note,) if a.note else ()))) or "-",
        )
        for a in held
    )
    heads = ("published", *names, "source", "trained on the set", "replicated here", "differs in")
    return [*_table(heads, rows), ""]


def _bounds(interval: Interval) -> tuple[str, str]:
    return number(interval.value), f"{number(interval.low)} … {number(interval.high)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        # Names come from files and servers: a bar or a line break must not break the table.
        *(f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in row)} |" for row in rows),
    ]
