"""``agentdog list``: stored trajectories, newest first or in another order."""

from __future__ import annotations

from typing import Any, get_args

import click
from rich.table import Table
from rich.text import Text

from agentdog.cli.common import emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option, verdict_text
from agentdog.client import wording
from agentdog.client.shapes import Order, Page, Sort, Summary, Taxonomy


@click.command("list")
@click.option("--verdict", help="safe, unsafe, not_evaluated or pending.")
@click.option("--risk-source", metavar="ID", help="Where: a label's id.")
@click.option("--failure-mode", metavar="ID", help="How: a label's id.")
@click.option("--real-world-harm", metavar="ID", help="What: a label's id.")
@click.option("--project", help="Exact name.")
@click.option("--agent", help="Exact name of an agent that took part.")
@click.option("--tool", help="Exact name of a tool that was called.")
@click.option("--since", metavar="TIME", help="Not before, RFC 3339.")
@click.option("--until", metavar="TIME", help="Not after, RFC 3339.")
@click.option("--sort", type=click.Choice(get_args(Sort)), help="By start when not given.")
@click.option("--order", type=click.Choice(get_args(Order)), help="Which end first; newest is highest.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows on a page.")
@click.option("--cursor", metavar="CURSOR", help="Continue after an earlier page.")
@url_option
@json_option
def command(url: str | None, as_json: bool, **filters: Any) -> None:  # noqa: ANN401 - the options above, by the API's names
    """List stored trajectories, newest first unless sorted otherwise. All given filters must match."""
    with client_at(url) as client:
        page = client.trajectories(**filters)
        if as_json:
            emit(page)
            return
        _print(page, client.taxonomy("all"))


def _print(page: Page, taxonomy: Taxonomy) -> None:
    console = Output()
    if not page["items"]:
        console.print("No trajectory matches. `agentdog demo` makes two.", markup=False)
        return
    table = Table.grid(padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for run in page["items"]:
        table.add_row(verdict_text(run["verdict"], run.get("p_unsafe")), _words(run, taxonomy))
    console.print(table)
    if page.get("next"):
        console.print(f"More: --cursor {page['next']}", markup=False)


def _words(run: Summary, taxonomy: Taxonomy) -> Text:
    """The run's title, its labels where it has any, and the facts that tell it from others, the id first."""
    text = plain(run["title"], "bold")
    for axis in taxonomy["axes"]:
        name = wording.label_name(taxonomy, axis["id"], run.get(axis["id"]))
        if name:
            text.append(f"\n{axis['question']:<6}", style="dim").append_text(plain(name))
    steps = wording.plural(run["steps"], "step")
    facts = " · ".join((run["id"], run["project"], steps, wording.when(run["start_time"])))
    return text.append("\n").append_text(plain(facts, "dim"))
