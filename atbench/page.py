"""A report as one self-contained page: the Markdown document, drawings, and the worst errors as they were.

Invariant: whatever a file or a server says is text on the page. The Markdown reader knows no links, images or HTML, and
what it does not read is escaped; the page names no other file and runs no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from markdown_it import MarkdownIt

import taxonomy
from agentdog.trajectory import Header, Trajectory
from agentdog.trajectory.render import AGENTDOG, render_header, render_step
from atbench.document import overview, parts
from atbench.metrics import Row
from atbench.plots import of_run, of_runs
from atbench.replication import recorded
from atbench.report import Report

WORST = 10
_STEPS = 10  # steps that are named
_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--red:#c0392b}
body{font:15px/1.5 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}
h1{margin:0 0 .5rem}h2{margin:2.5rem 0 .5rem;padding-top:1rem;border-top:2px solid var(--line)}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto;font-variant-numeric:tabular-nums}
td,th{border-bottom:1px solid var(--line);padding:.25rem .7rem;text-align:left;white-space:nowrap;vertical-align:top}
th{background:var(--soft)}td:last-child,.overview td{white-space:normal}tr:hover td{background:var(--soft)}
details{margin:.4rem 0;border:1px solid var(--line);border-radius:6px;padding:.3rem .8rem}
summary{cursor:pointer;overflow-wrap:anywhere}
pre{white-space:pre-wrap;background:var(--soft);padding:1rem;overflow-wrap:anywhere;max-height:36rem;overflow-y:auto}
.plots{display:flex;flex-wrap:wrap;gap:1rem}.plots svg{background:#fff;border:1px solid var(--line);border-radius:6px}
.alarm{color:var(--red);font-weight:600}
"""


def page(reports: Mapping[str, Report], trajectories: Mapping[str, Mapping[str, Trajectory]]) -> str:
    """Writes the page.

    Args:
        reports: by name.
        trajectories: by name of the run and id of the row, as far as the errors are to be shown with what happened.
    """
    reader = MarkdownIt("zero").enable(["table", "heading", "list", "backticks", "emphasis", "entity"])
    known = recorded()
    body = [
        "<h1>Scores</h1>",
        f'<div class="plots">{of_runs(reports)}</div>',
        reader.render("\n".join(overview(reports))),
    ]
    for name, found in reports.items():
        body.append(f"<h2>{escape(name)}</h2>")
        first, *rest = parts(found, known)
        body += [reader.render("\n".join(first.lines)), f'<div class="plots">{of_run(found)}</div>']
        body += [_folded(part.title or "", reader.render("\n".join(part.lines))) for part in rest]
        body += _errors(found, trajectories.get(name, {}))
    inner = "\n".join(body)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Scores</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body>{inner}</body></html>\n"
    )


def _folded(title: str, inner: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def _errors(found: Report, trajectories: Mapping[str, Trajectory]) -> list[str]:
    rows = worst(found.rows)
    wrong = sum(r.label is not None and r.prediction is not None and r.prediction != r.label for r in found.rows)
    missed = sum(row.label == 1 and row.prediction == 0 for row in found.rows)
    told = f"{wrong} rows are judged wrong, {missed} of them missed; the {len(rows)} that the guard is surest of:"
    head = f"<h3>Where it errs</h3><p>{told if rows else 'No labelled row is judged wrong.'}</p>"
    return [head, *(_error(row, trajectories.get(row.id)) for row in rows)]


def worst(rows: Sequence[Row], count: int = WORST) -> list[Row]:
    """Returns the rows that the guard gets wrong, those it is surest of first."""
    wrong = [
        row for row in rows if row.label is not None and row.prediction is not None and row.prediction != row.label
    ]
    return sorted(wrong, key=lambda row: -abs((row.p_unsafe if row.p_unsafe is not None else 0.5) - (row.label or 0)))[
        :count
    ]


def _error(row: Row, trajectory: Trajectory | None) -> str:
    """One row that is judged wrong, with what happened in it; steps that were called unsafe are marked."""
    told = ("safe", "unsafe")
    said = f"called {told[row.prediction or 0]}, annotated {told[row.label or 0]}"
    sure = f", P(unsafe) {row.p_unsafe:.2f}" if row.p_unsafe is not None else ""
    steps = ", ".join(str(index + 1) for index in row.flagged[:_STEPS])
    where = f", alarms at steps {steps}" if len(row.judged) > 1 and steps else ""
    onset = f", goes wrong at step {row.unsafe_step + 1}" if row.unsafe_step is not None else ""
    named = "; ".join(
        f"{axis.question.lower()} {getattr(row.gold, axis.id)}"
        for axis in taxonomy.load().axes
        if getattr(row.gold, axis.id)
    )
    if trajectory is None:
        inner = "<pre>(the rows are not here any more; name the data set with --dataset)</pre>"
    else:
        inner = f"<pre>{_shown(row, trajectory)}</pre>"
    gold = f"<p>Annotated: {escape(named)}</p>" if named and row.label == 1 else ""
    return _folded(f"{row.id}: {said}{sure}{where}{onset}", gold + inner)


def _shown(row: Row, trajectory: Trajectory) -> str:
    """What happened, step by step, counted from 1."""
    marked = set(row.flagged) if len(row.judged) > 1 else set()
    lines = [escape(render_header(Header.of(trajectory), AGENTDOG))]
    for step in trajectory.steps:
        mark = (
            f'<span class="alarm">step {step.index + 1}, alarm</span>'
            if step.index in marked
            else f"step {step.index + 1}"
        )
        lines.append(f"\n--- {mark} ---\n{escape(render_step(step, AGENTDOG).strip())}")
    return "\n".join(lines)
