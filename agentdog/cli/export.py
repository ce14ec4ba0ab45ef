"""``agentdog export``: stored runs as JSON lines, Parquet, ATIF or SARIF, page by page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from agentdog import __version__
from agentdog.base.errors import UsageError
from agentdog.cli.common import emit, json_option
from agentdog.cli.remote import client_at, url_option
from agentdog.client import Client, NotFound
from agentdog.diagnosis import Diagnosis
from agentdog.outbound import sarif, table
from agentdog.service.settings import load_settings
from agentdog.service.targets import link_base
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats.atif_write import to_atif

_PAGE = 200
_SCHEMA = "agentdog.run/1"
FORMATS = ("jsonl", "parquet", "atif", "sarif")


@click.command("export")
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="jsonl", show_default=True, help="What is written."
)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="File; standard output without.")
@click.option("--project", help="Exact name.")
@click.option("--agent", help="Exact name of an agent that took part.")
@click.option("--tool", help="Exact name of a tool that was called.")
@click.option("--since", metavar="TIME", help="Not before, RFC 3339.")
@click.option("--until", metavar="TIME", help="Not after, RFC 3339.")
@click.option("--verdict", help="safe, unsafe, not_evaluated or pending.")
@click.option("--risk-source", metavar="ID", help="Where: a label's id.")
@click.option("--failure-mode", metavar="ID", help="How: a label's id.")
@click.option("--real-world-harm", metavar="ID", help="What: a label's id.")
@click.option("--reviewed", type=click.Choice(["yes", "no"]), help="Whether people looked at it.")
@click.option(
    "--sarif-place",
    default=sarif.PLACE,
    show_default=True,
    help="Where in the repository SARIF results point; {id} is the run's. A line is a step.",
)
@url_option
@json_option
def command(
    kind: str,
    out: Path | None,
    sarif_place: str,
    url: str | None,
    as_json: bool,
    **filters: Any,  # noqa: ANN401
) -> None:
    """Export stored runs, oldest first. All given filters must match. With --json, say what was written."""
    if kind == "parquet" and out is None:
        raise UsageError("--out: Parquet is written to a file; name one")
    if as_json and out is None:
        raise UsageError("--json: tells what was written to a file; name one with --out")
    if kind == "parquet":
        table.columns()  # before anything is asked: whether it can be written at all
    with client_at(url) as client, _counted(_runs(client, filters), quiet=as_json) as runs:
        count = _write(kind, out, runs, sarif_place)
    if out is not None:
        said = {"runs": count, "format": kind, "out": str(out)}
        emit(said) if as_json else click.echo(f"{count} runs in {out}", err=True)


def _runs(client: Client, filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields every run that matches, as the API tells it; what is removed meanwhile is left out."""
    cursor: str | None = None
    while True:
        page = client.trajectories(order="oldest", limit=_PAGE, cursor=cursor, **filters)
        for summary in page["items"]:
            try:
                yield dict(client.trajectory(summary["id"], project=summary["project"]))
            except NotFound:
                continue
        cursor = page.get("next")
        if cursor is None:
            return


@contextmanager
def _counted(runs: Iterator[dict[str, Any]], *, quiet: bool) -> Iterator[Iterator[dict[str, Any]]]:
    """Shows on a terminal how many runs came so far."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} runs"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def told() -> Iterator[dict[str, Any]]:
            for run in runs:
                yield run
                bar.advance(task)

        yield told()


def _write(kind: str, out: Path | None, runs: Iterator[dict[str, Any]], place: str) -> int:
    if out is None:
        return _lines(kind, sys.stdout.buffer, runs, place)
    part = out.with_name(f"{out.name}.part")  # who reads the file never sees half of it
    try:
        if kind == "parquet":
            count = table.write(part, (table.row(run["summary"], *_typed(run)) for run in runs))
        else:
            with part.open("wb") as file:
                count = _lines(kind, file, runs, place)
        part.replace(out)
    except OSError as error:
        raise UsageError(f"--out: cannot write {out}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _lines(kind: str, file: IO[bytes], runs: Iterator[dict[str, Any]], place: str) -> int:
    count = 0
    if kind == "sarif":
        found = []
        for run in runs:
            count += 1
            trajectory, diagnosis = _typed(run)
            if diagnosis is None or diagnosis.incidents or diagnosis.verdict == "not_evaluated":
                found.append(sarif.Run(msgspec.structs.replace(trajectory, steps=()), diagnosis))
        log = sarif.log_of(found, version=__version__, base=link_base(load_settings()), place=place)
        file.write(msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n")
        return count
    for run in runs:
        count += 1
        row = to_atif(_typed(run)[0], _said(run)) if kind == "atif" else {"schema": _SCHEMA, **run}
        file.write(msgspec.json.encode(row) + b"\n")
    return count


def _typed(run: dict[str, Any]) -> tuple[Trajectory, Diagnosis | None]:
    diagnosis = run.get("diagnosis")
    return msgspec.convert(run["trajectory"], Trajectory), msgspec.convert(diagnosis, Diagnosis) if diagnosis else None


def _said(run: dict[str, Any]) -> dict[str, Any]:
    summary = run["summary"]
    names = ("verdict", "p_unsafe", "risk_source", "failure_mode", "real_world_harm")
    return {"agentdog": {name: summary[name] for name in names if name in summary}}
