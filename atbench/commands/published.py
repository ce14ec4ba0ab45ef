"""``atbench published``: the cited table, whether its digits fit integer counts, and what was replicated here."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from atbench.counts import Fit, fit
from atbench.published import published as rows_of
from atbench.replication import mark, recorded, scores_of


class Listed(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One published row as it is listed."""

    row: str
    source: str
    published: dict[str, str]
    fit: Fit
    trained: bool | None = None
    note: str | None = None
    weights: str | None = None
    replicated: str


@click.command()
@click.option("--set", "name", help="Rows of one set only.")
@click.option("--unfit", is_flag=True, help="Only rows whose digits no integer counts give at the stated totals.")
@click.option(
    "--table", type=click.Path(path_type=Path), help="Published rows of yours, in the form of published.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")
def published(name: str | None, unfit: bool, table: Path | None, as_json: bool) -> None:
    """List published scores with their sources, and recompute each from counts.

    A row fits when whole numbers of rows, at the set's stated totals, give every printed digit through the same code
    that scores a run; one that does not fit is a misprint, has other totals, or had rows left out.
    """
    known = recorded()
    listed = [
        Listed(
            row=row.id,
            source=row.source,
            published=row.printed,
            fit=found,
            trained=row.trained,
            note=row.note,
            weights=row.weights,
            replicated=mark(row, known),
        )
        for row in rows_of(table)
        if name is None or row.set.lower() == name.lower()
        if (found := fit(row)).fits is False or not unfit
    ]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(listed), indent=2).decode())
        return
    console = Console(highlight=False)
    shown = Table(title=f"{len(listed)} published rows", title_justify="left")
    for column in ("row", "published", "counts tp fp fn tn", "replicated"):
        shown.add_column(column, overflow="fold")
    rows = {row.id: row for row in rows_of(table)}
    for one in listed:
        values = " ".join(one.published[score] for score in scores_of(rows[one.row]))
        shown.add_row(Text(one.row), values, one.fit.told(), one.replicated)
    console.print(shown)
    bad = sum(one.fit.fits is False for one in listed)
    console.print(f"{bad} rows fit no integer counts at their stated totals")
