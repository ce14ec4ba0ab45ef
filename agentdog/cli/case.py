"""``agentdog case``: keep a run as a regression case; ``agentdog judge CASE`` fails until it is mended."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.table import Table

from agentdog.base.errors import NotFoundError, UsageError
from agentdog.cli.common import emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.client.shapes import Stored
from agentdog.diagnosis import Diagnosis
from agentdog.policy.regression import Regression, is_case, read
from agentdog.review import Review
from agentdog.service.cases import case_of
from agentdog.service.settings import load_settings
from agentdog.trajectory import Trajectory

FOLDER = "cases"

folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where cases lie; the folder `cases` of the data folder by default.",
)


def cases_in(folder: Path | None) -> Path:
    """Returns the folder of cases."""
    return folder or load_settings().data.expanduser() / FOLDER


def found(name: str) -> Path:
    """Returns the file of a case by its name; raises `NotFoundError`."""
    path = cases_in(None) / f"{name}.json"
    if not is_case(path):
        raise NotFoundError(f"no file and no case is called {name!r}; `agentdog case list` shows the cases")
    return path


@click.group("case")
def command() -> None:
    """Keep runs as regression cases: `agentdog judge CASE` fails until what was wrong is mended."""


@command.command("save")
@click.argument("any_id", metavar="ID")
@click.option("--name", help="Name of the case; the run's id by default.")
@click.option("--note", help="Why it is kept.")
@click.option("--replace", is_flag=True, help="Put this run in the place of the one that is kept under that name.")
@click.option("--project", help="Look in this project only.")
@folder_option
@url_option
@json_option
def save(
    any_id: str,
    name: str | None,
    note: str | None,
    replace: bool,
    project: str | None,
    folder: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Keep the run ID: where it goes wrong by what people said of it, else by its diagnosis."""
    with client_at(url) as client:
        stored = client.trajectory(any_id, project=project)
    case = _case(stored, name, note)
    path = cases_in(folder) / f"{case.name}.json"
    if path.exists() and not replace:
        raise UsageError(f"--name: {path} is there already; choose another, or --replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(case) + b"\n")
    if as_json:
        emit({"name": case.name, "path": str(path), "bad_step": case.bad_step})
        return
    state = "is fine" if case.bad_step is None else f"goes wrong at step {case.bad_step + 1}"
    Output().print(plain(f"{path}: the run {state} ({case.by}); agentdog judge {path}"))


def _case(stored: Stored, name: str | None, note: str | None) -> Regression:
    return case_of(
        msgspec.convert(stored["trajectory"], Trajectory),
        msgspec.convert(stored["diagnosis"], Diagnosis) if "diagnosis" in stored else None,
        msgspec.convert(stored.get("reviews", []), list[Review]),
        name=name,
        note=note,
    )


@command.command("list")
@folder_option
@json_option
def list_(folder: Path | None, as_json: bool) -> None:
    """Show the cases that are kept."""
    kept = [read(path) for path in sorted(cases_in(folder).glob("*.json")) if is_case(path)]
    if as_json:
        emit(
            [{"name": c.name, "saved_at": c.saved_at, "bad_step": c.bad_step, "by": c.by, "note": c.note} for c in kept]
        )
        return
    table = Table.grid(padding=(0, 2))
    for case in kept:
        state = "fine" if case.bad_step is None else f"step {case.bad_step + 1}"
        table.add_row(*map(plain, (case.name, state, case.by, case.saved_at[:10], case.note or "")))
    Output().print(table if kept else "No cases. `agentdog case save ID` keeps a run.")
