"""``agentdog rejections``: which spans and records were refused, and why."""

from __future__ import annotations

import click
from rich.table import Table

from agentdog.cli.common import FINDING, FINE, emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.client import wording


@click.command("rejections")
@click.option("--project", help="Of this project only.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Entries.")
@url_option
@json_option
@click.pass_context
def command(context: click.Context, project: str | None, limit: int, url: str | None, as_json: bool) -> None:
    """List refused spans and records, newest first. Exit code 1 when there are any."""
    with client_at(url) as client:
        items = client.rejections(project, limit=limit)["items"]
    if as_json:
        emit({"items": items})
    elif not items:
        click.echo("Nothing was refused.")
    else:
        table = Table("when", "project", "span or record", "why", box=None, padding=(0, 2, 0, 0))
        for item in items:
            table.add_row(wording.when(item["time"]), plain(item["project"]), plain(item["id"]), plain(item["reason"]))
        Output().print(table)
    context.exit(FINDING if items else FINE)
