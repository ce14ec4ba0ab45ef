"""``agentdog learn``: from reviewed runs to a guard of one project, with figures that decide whether it may be used."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from agentdog.base.clock import rfc3339
from agentdog.base.errors import UsageError
from agentdog.cli.common import FINDING, FINE, emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import PATIENCE_S, client_at, plain, url_option
from agentdog.client.shapes import Standing
from agentdog.guards.embedded.learned.model import Figures, Learned, Measure, encode
from agentdog.trajectory.formats import Case, sniff


@click.group("learn", invoke_without_command=True)
@click.option("--project", help="Learn from the reviews of this project.")
@click.option(
    "--from", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Learn from a labelled file."
)
@click.option("--false-alarm", type=float, metavar="RATE", help="Flag at most this share of safe runs, such as 0.05.")
@click.option("--guard", "uri", default="embedded", show_default=True, help="The embedded guard to start from.")
@click.option("--keep", is_flag=True, help="Hand the model to the sidecar, without letting it decide yet.")
@click.option("--activate", is_flag=True, help="Let it decide in this project; refused unless it is better.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the model here (JSON).")
@url_option
@json_option
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - the options above
    context: click.Context,
    project: str | None,
    path: Path | None,
    false_alarm: float | None,
    uri: str,
    keep: bool,
    activate: bool,
    output: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Learn a guard from reviewed runs, and say honestly what it is worth.

    Every figure is of runs that the model had not seen, nor any about the same request. Exit code 1 when it is not
    better than the guard without it; it is not activated then.
    """
    if context.invoked_subcommand is not None:
        return
    cases = _cases(project, path, url)
    model = learned(cases, uri, project or (path.name.split(".")[0] if path else ""), false_alarm, quiet=as_json)
    if output is not None:
        output.write_bytes(encode(model))
    standing: Standing | None = None
    if keep or (activate and model.figures.better):
        with client_at(url, PATIENCE_S) as client:
            standing = client.keep_learned(msgspec.to_builtins(model), activate=activate)
    if as_json:
        told = {"version": model.version, "project": model.project, "threshold": model.threshold}
        emit({**told, "figures": model.figures, "standing": standing})
    else:
        show(model.figures, model.version)
        if standing is not None:
            click.echo(f"{model.project}: {_stands(standing)}")
    raise SystemExit(FINE if model.figures.better else FINDING)


@command.command("status")
@click.option("--project", required=True, help="Exact name.")
@url_option
@json_option
def status(project: str, url: str | None, as_json: bool) -> None:
    """Show what a project has learned, which version decides, and why none does.

    Exit code 1 when it was switched off by drift or reads the signals of another guard.
    """
    with client_at(url) as client:
        standing = client.learned(project)
    if as_json:
        emit(standing)
    else:
        console, table = Output(), Table.grid(padding=(0, 2))
        console.print(plain(f"{project}: {_stands(standing)}"))
        for each in standing.get("versions", []):
            figures = msgspec.convert(each["figures"], Figures)
            mark = "▶" if each["version"] == standing.get("version") else ""
            worth = f"F1 {_text(figures.learned['f1'])}, without it {_text(figures.unlearned['f1'])}"
            table.add_row(*map(plain, (mark, each["version"], each["made"], f"{figures.runs} runs", worth)))
        console.print(table)
    raise SystemExit(FINDING if standing.get("state") in ("drifted", "outdated") else FINE)


@command.command("activate")
@click.argument("version")
@click.option("--project", required=True, help="Exact name.")
@url_option
@json_option
def activate_(version: str, project: str, url: str | None, as_json: bool) -> None:
    """Let VERSION, which was kept before, decide in a project."""
    _decide(project, version, url, as_json=as_json)


@command.command("off")
@click.option("--project", required=True, help="Exact name.")
@url_option
@json_option
def off(project: str, url: str | None, as_json: bool) -> None:
    """Let the guard without what was learned decide again."""
    _decide(project, None, url, as_json=as_json)


def _decide(project: str, version: str | None, url: str | None, *, as_json: bool) -> None:
    with client_at(url) as client:
        standing = client.decide_learned(project, version)
    if as_json:
        emit(standing)
    else:
        Output().print(plain(f"{project}: {_stands(standing)}"))


def _stands(standing: Standing) -> str:
    words = [standing.get("state", "off"), standing.get("version"), standing.get("since"), standing.get("why")]
    return ", ".join(word for word in words if word)


def _cases(project: str | None, path: Path | None, url: str | None) -> list[Case]:
    """Labelled runs: of a file, or all that people reviewed in a project."""
    if path is not None:
        return list(sniff.read(path))
    if project is None:
        raise UsageError("give --project NAME, whose reviews are taken, or --from FILE of labelled runs")
    with client_at(url, PATIENCE_S) as client:
        return [msgspec.convert(row, Case) for row in client.dataset(project, format="native")]


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
    for name, row in rows.items():
        table.add_row(name, *(_text(row[n]) for n in names))
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
