"""A report as one self-contained page: the Markdown document, drawings, and the worst errors as they were.

Invariant: whatever a file or a server says is text on the page. The Markdown reader knows no links, images or HTML, and
what it does not read is escaped; the page names no other file and runs no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from markdown_it import MarkdownIt

from agentdog.trajectory import Trajectory
from agentdog.trajectory.render import AGENTDOG, render
from atbench.document import markdown
from atbench.metrics import Row
from atbench.plots import of_run, of_runs
from atbench.report import Report

WORST = 10
_STEPS = 10  # steps that are named
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #ccc;padding:.2rem .6rem;text-align:left}"
    "pre{white-space:pre-wrap;background:#f6f6f6;padding:1rem;overflow-wrap:anywhere}"
)


def page(reports: Mapping[str, Report], trajectories: Mapping[str, Mapping[str, Trajectory]]) -> str:
    """Writes the page.

    Args:
        reports: by name.
        trajectories: by name of the run and id of the row, as far as the errors are to be shown with what happened.
    """
    reader = MarkdownIt("zero").enable(["table", "heading", "list", "backticks", "emphasis", "entity"])
    parts = [of_runs(reports), reader.render(markdown(reports))]
    for name, found in reports.items():
        parts += [f"<h2>{escape(name)}: where it errs</h2>", of_run(found)]
        parts += [_error(row, trajectories.get(name, {}).get(row.id)) for row in worst(found.rows)]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Scores</title>'
        f"<style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def worst(rows: Sequence[Row], count: int = WORST) -> list[Row]:
    """Returns the rows that the guard gets wrong, those it is surest of first."""
    wrong = [
        row for row in rows if row.label is not None and row.prediction is not None and row.prediction != row.label
    ]
    return sorted(wrong, key=lambda row: -abs((row.p_unsafe if row.p_unsafe is not None else 0.5) - (row.label or 0)))[
        :count
    ]


def _error(row: Row, trajectory: Trajectory | None) -> str:
    told = ("safe", "unsafe")
    said = f"{told[row.prediction or 0]}, annotated {told[row.label or 0]}"
    sure = f", P(unsafe) {row.p_unsafe:.2f}" if row.p_unsafe is not None else ""
    text = (
        render(trajectory, AGENTDOG)
        if trajectory
        else "(the rows are not here any more; name the data set with --dataset)"
    )
    steps = ", ".join(str(index + 1) for index in row.flagged[:_STEPS])
    where = f", alarms at steps {steps}" if len(row.judged) > 1 and steps else ""
    head = f"{escape(row.id)}: called {said}{sure}{where}"
    return f"<details><summary>{head}</summary><pre>{escape(text)}</pre></details>"
