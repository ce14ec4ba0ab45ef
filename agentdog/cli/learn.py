"""``agentdog learn``: from reviewed runs to a guard of one project, with figures that decide whether it may be used."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from agentdog.base.clock import rfc3339
from agentdog.base.errors import UsageError
from agentdog.cli.common import FINDING, FINE, emit, json_option
from agentdog.cli.output import Output
from agentdog.guards.embedded.learned.model import Figures, Learned, Measure, encode
from agentdog.trajectory.formats import Case


@click.group("learn", invoke_without_command=True)
@click.option("--project", help="Learn from the reviews of this project.")
@click.option(
    "--from", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Learn from a labelled file."
)
@click.option("--false-alarm", type=float, metavar="RATE", help="Flag at most this share of safe runs, such as 0.05.")
@click.option("--guard", "uri", default="embedded", show_default=True, help="The embedded guard to start from.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the model here (JSON).")
@json_option
@click.pass_context
def command(
    context: click.Context,
    project: str | None,
    path: Path | None,
    false_alarm: float | None,
    uri: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Learn a guard from reviewed runs, and say honestly what it is worth.

    Every figure is of runs that the model had not seen, nor any about the same request. Exit code 1 when it is not
    better than the guard without it.
    """
    if context.invoked_subcommand is not None:
        return
    if path is None:
        raise UsageError("give --from FILE of labelled runs")
    from agentdog.trajectory.formats import sniff

    cases = list(sniff.read(path))
    model = learned(cases, uri, project or path.name.split(".")[0], false_alarm, quiet=as_json)
    if output is not None:
        output.write_bytes(encode(model))
    if as_json:
        emit(
            {"version": model.version, "project": model.project, "threshold": model.threshold, "figures": model.figures}
        )
    else:
        show(model.figures, model.version)
    raise SystemExit(FINE if model.figures.better else FINDING)


def learned(cases: list[Case], uri: str, project: str, false_alarm: float | None, *, quiet: bool) -> Learned:
    """Learns, with a bar that shows how far it is."""
    from agentdog.guards.embedded.guard import EmbeddedGuard
    from agentdog.guards.embedded.learned.learn import learn
    from agentdog.guards.embedded.options import from_uri

    guard = from_uri(uri)
    if not isinstance(guard, EmbeddedGuard):
        raise UsageError(f"guard {uri!r}: what is learned starts from a guard that learned nothing")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Output(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("runs", total=None)
        return learn(
            cases,
            guard,
            project=project,
            made=rfc3339(time.time_ns()),
            false_alarm=false_alarm,
            progress=lambda what, done, of: bar.update(task, description=what, completed=done, total=of),
        )


def show(figures: Figures, version: str) -> None:
    """Prints what a model is worth."""
    console = Output()
    console.print(
        f"{figures.runs} reviewed runs ({figures.unsafe} unsafe) about {figures.groups} requests; "
        "5-fold cross-validation by request, 95 % intervals"
    )
    table = Table.grid(padding=(0, 2))
    names = ("f1", "precision", "recall", "auroc", "false_alarms")
    table.add_row("", *(n.replace("_", " ") for n in names))
    rows = {
        "learned": figures.learned,
        "without it": figures.unlearned,
        "words alone": figures.words,
    }
    for title, row in rows.items():
        table.add_row(title, *(_text(row[n]) for n in names))
    console.print(table)
    console.print(f"F1, learned minus without it: {_text(figures.difference)}")
    if figures.reached is not None:
        console.print(f"false alarms: {figures.false_alarm:g} allowed, {_text(figures.reached)} met")
    if figures.better:
        console.print(f"version {version} is better than the guard without it")
    else:
        console.print("not better than the guard without it: it cannot be activated; review more runs and learn again")


def _text(measure: Measure) -> str:
    if measure.value is None:
        return "-"
    bounds = f" ({measure.low:.3f} … {measure.high:.3f})" if measure.low is not None else ""
    return f"{measure.value:.3f}{bounds}"
