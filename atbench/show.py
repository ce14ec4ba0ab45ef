"""A report in the terminal; names from files and servers are printed as plain text."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

import taxonomy
from agentdog.base.stats import Interval
from atbench.report import Report
from atbench.rules import Flagging

_SHOWN = 300  # characters of a guard's own words


def show(console: Console, found: Report) -> None:
    """Prints a report for people."""
    data, guard = found.run.data, found.run.guard
    console.print(Text(f"{data.name}  {data.rows} rows ({data.format}), sha256 {data.sha256[:16]}…", style="bold"))
    console.print(Text(f"guard {guard.name}, pack {guard.pack or '-'}, fingerprint {guard.fingerprint}"))
    console.print(Text(f"mode {found.run.mode}"))
    if found.labelled:
        console.print(_metrics(found))
    if found.axes:
        console.print(_axes(found))
    if found.onset:
        console.print(_plain("First alarm, over rows with a labelled step", _onset(found)))
    if found.flagging:
        console.print(_flagging(found.flagging))
    if found.ranking:
        console.print(_plain(f"Probabilities, over {found.ranking.rows} rows", found.ranking.metrics))
    if found.severity:
        agreement = {"spearman": found.severity.spearman, "auroc": found.severity.auroc}
        console.print(_plain(f"Agreement with the set's severity, over {found.severity.rows} rows", agreement))
    if found.flip_rate is not None:
        console.print(Text(f"answers that differ between {found.run.repeats} repeats: {percent(found.flip_rate)} %"))
    unlabelled = len(found.rows) - found.labelled
    if unlabelled:
        console.print(Text(f"{unlabelled} rows carry no label: {found.flagged_unlabelled} of them called unsafe"))
    missing = sum(found.not_evaluated.values())
    reasons = ", ".join(f"{reason} {count}" for reason, count in found.not_evaluated.items())
    wrong = " (counted as the wrong class)" if missing else ""
    console.print(Text(f"not evaluated: {missing}{wrong}" + (f": {reasons}" if reasons else "")))
    for reason in found.not_evaluated:
        if reason in found.failures:
            console.print(Text(f"the first {reason}: {found.failures[reason][:_SHOWN]}", style="dim"))
    spent = found.spent
    tokens = (
        f", {spent.prompt_tokens} ({spent.cached_tokens} cached) + {spent.completion_tokens} tokens"
        if spent.prompt_tokens
        else ""
    )
    cost = f", cost {spent.cost:.4f}" if spent.cost is not None else ""
    console.print(Text(f"{spent.verdicts} verdicts{tokens}{cost}"))
    for caveat in found.caveats:
        console.print(Text(f"note: {caveat}", style="dim"))


def _metrics(found: Report) -> Table:
    table = Table(title=f"{found.labelled} labelled rows in {found.groups} groups", title_justify="left")
    for name in ("", *found.metrics):
        table.add_column(name, no_wrap=True)
    held = found.metrics.values()
    table.add_row("guard", *(percent(interval.value) for interval in held), style="bold")
    table.add_row("95 % from", *(percent(interval.low) for interval in held))
    table.add_row("95 % to", *(percent(interval.high) for interval in held), end_section=True)
    for name, scores in found.baselines.items():
        table.add_row(Text(name, style="dim"), *(percent(scores[metric].value) for metric in found.metrics))
    table.caption = "  ".join(f"{name} {count}" for name, count in found.confusion.items())
    table.caption_justify = "left"
    return table


def _axes(found: Report) -> Table:
    table = Table(title="Axes, over unsafe rows with a known label", title_justify="left")
    for column in ("axis", "rows", "found", "right", "right/rows", "right/found", "majority"):
        table.add_column(column, no_wrap=True)
    for axis_id, axis in found.axes.items():
        table.add_row(
            taxonomy.load().axis(axis_id).question,
            *(str(n) for n in (axis.rows, axis.detected, axis.right)),
            with_bounds(axis.end_to_end),
            percent(axis.of_detected.value),
            percent(axis.majority),
        )
    table.caption = "found: called unsafe; majority: share of the most common label"
    table.caption_justify = "left"
    return table


def _flagging(found: Flagging) -> Table:
    title = f"When a run is flagged, over {found.rows} rows that nothing was fitted on"
    table = Table(title=title, title_justify="left")
    for column in ("rule", "recall", "false alarms"):
        table.add_column(column, no_wrap=True)
    for rule, recall in found.recall.items():
        table.add_row(rule, with_bounds(recall), with_bounds(found.false_alarms[rule]))
    refused = f"; no calibrated maximum: {found.refused}" if found.refused else ""
    table.caption = f"flags later withdrawn: {found.withdrawn_count} ({percent(found.withdrawn)} %){refused}"
    table.caption_justify = "left"
    return table


def _onset(found: Report) -> dict[str, Interval]:
    onset = found.onset
    names = onset.__struct_fields__[1:] if onset else ()
    return {name.replace("_", " "): getattr(onset, name) for name in names}


def _plain(title: str, scores: Mapping[str, Interval]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("", "value", "95 % interval"):
        table.add_column(column, no_wrap=True)
    for name, interval in scores.items():
        # A mean of steps is no share.
        shown = number if name == "steps ahead" else percent
        table.add_row(name, shown(interval.value), f"{shown(interval.low)} … {shown(interval.high)}")
    return table


def percent(value: float | None) -> str:
    """Writes a share in per cent, with one digit behind the point."""
    return "-" if value is None else f"{100 * value:.1f}"


def number(value: float | None) -> str:
    """Writes a number with two digits behind the point."""
    return "-" if value is None else f"{value:.2f}"


def with_bounds(interval: Interval) -> str:
    """Writes a share with its interval."""
    if interval.value is None:
        return "-"
    return f"{percent(interval.value)} ({percent(interval.low)} … {percent(interval.high)})"
