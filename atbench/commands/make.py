"""``atbench make``: labelled sets that need no annotator."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@click.group()
def make() -> None:
    """Make labelled sets that need no annotator."""


@make.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for data and card."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same bytes.")
@click.option("--limit", type=click.IntRange(min=1), help="Rows at most; a fair sample of the whole.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON, nothing else.")
def agentdojo(out: Path, seed: int, limit: int | None, as_json: bool) -> None:
    """Run a scripted agent through AgentDojo's environments, and label the exact step that goes wrong.

    Needs the package: pip install 'agentdog-sidecar[agentdojo]'.
    """
    from atbench.make.write import CARD, write

    columns = ("{task.description}", "{task.fields[rows]} rows")
    with Progress(
        TextColumn(columns[0]),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(columns[1]),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("scenes", total=None, rows=0)
        card = write(
            out,
            seed=seed,
            limit=limit,
            progress=lambda done, total, rows: bar.update(task, completed=done, total=total, rows=rows),
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(card), indent=2).decode())
        return
    balance = ", ".join(f"{label} {count}" for label, count in card.balance.items())
    click.echo(f"{out / card.file}: {card.rows} rows ({balance}), sha256 {card.sha256}")
    click.echo(f"{out / CARD}: the data card")
