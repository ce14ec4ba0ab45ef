"""``agentdog dead``: traces and sessions that no try could work on; looked at, and tried again."""

from __future__ import annotations

import click
from rich.table import Table

from agentdog.cli.common import FINDING, FINE, emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.client import wording


@click.command("dead")
@click.option("--replay", metavar="ID|all", help="Try this one again, or all.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Entries.")
@url_option
@json_option
@click.pass_context
def command(context: click.Context, replay: str | None, limit: int, url: str | None, as_json: bool) -> None:
    """List dead letters with their last error, newest first. Exit code 1 when there are any."""
    with client_at(url) as client:
        if replay is not None:
            count = client.replay(None if replay == "all" else replay)
            if as_json:
                emit({"replayed": count})
            else:
                click.echo(f"{count} queued again.")
            context.exit(FINE if count else FINDING)
        items = client.dead_letters(limit=limit)["items"]
    if as_json:
        emit({"items": items})
    elif not items:
        click.echo("There is none.")
    else:
        table = Table("id", "when", "project", "unit", "tries", "last error", box=None, padding=(0, 2, 0, 0))
        for item in items:
            project, unit, error = (plain(item[key]) for key in ("project", "unit", "error"))
            table.add_row(item["id"], wording.when(item["time"]), project, unit, str(item["attempts"]), error)
        Output().print(table)
    context.exit(FINDING if items else FINE)
