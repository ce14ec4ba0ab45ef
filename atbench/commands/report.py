"""``atbench report``: what kept runs found, as Markdown, one HTML page, JSON, or all three."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from agentdog.base.errors import UsageError
from agentdog.trajectory import Trajectory
from atbench.data import again, load
from atbench.document import markdown
from atbench.page import page
from atbench.report import Report, from_folder

_ALL = {"markdown": "report.md", "html": "report.html", "json": "report.json"}


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--format", "kind", type=click.Choice([*_ALL, "all"]), default="markdown", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--dataset", help="The data, for the worst errors with what happened; without it, where each run found it."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write there and not to standard output; a folder with --format all."
)
def report(folders: tuple[Path, ...], kind: str, as_json: bool, dataset: str | None, out: Path | None) -> None:
    """Put the runs kept in FOLDERS side by side, with shortcuts, published numbers and what stands against each."""
    kind = "json" if as_json else kind
    found = {str(folder): from_folder(folder) for folder in folders}
    counted = f"{len(found)} run{'s' if len(found) > 1 else ''}"
    if kind == "all":
        if out is None:
            raise UsageError("--format all writes three files; name a folder with --out")
        out.mkdir(parents=True, exist_ok=True)
        for each, name in _ALL.items():
            (out / name).write_text(_text(each, found, dataset), encoding="utf-8")
        click.echo(f"{out}: {', '.join(_ALL.values())}, {counted}")
    elif out is None:
        click.echo(_text(kind, found, dataset), nl=False)
    else:
        out.write_text(_text(kind, found, dataset), encoding="utf-8")
        click.echo(f"{out}: {counted}")


def _text(kind: str, found: Mapping[str, Report], dataset: str | None) -> str:
    if kind == "json":
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    if kind == "markdown":
        return markdown(found)
    return page(found, _trajectories(found, dataset))


def _trajectories(found: Mapping[str, Report], dataset: str | None) -> dict[str, dict[str, Trajectory]]:
    """What happened in the rows of every run, by id; a set that several runs share is read once."""
    if dataset is not None:
        named = {case.trajectory.id: case.trajectory for case in load(dataset)[1]}
        return dict.fromkeys(found, named)
    read = {one.run.data: again(one.run.data) for one in found.values()}
    return {
        name: {case.trajectory.id: case.trajectory for case in read[one.run.data] or ()} for name, one in found.items()
    }
