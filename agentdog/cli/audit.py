"""``agentdog audit``: who read content, reviewed or deleted."""

from __future__ import annotations

import click
from rich.table import Table

from agentdog.cli.common import emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.client import wording


@click.command("audit")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Entries.")
@url_option
@json_option
def command(limit: int, url: str | None, as_json: bool) -> None:
    """List who read content, reviewed or deleted, newest first."""
    with client_at(url) as client:
        items = client.audit(limit=limit)["items"]
    if as_json:
        emit({"items": items})
        return
    table = Table("when", "who", "did", "project", "what", "from", box=None, padding=(0, 2, 0, 0))
    for item in items:
        texts = (item["name"], item["action"], item.get("project"), item.get("subject"), item.get("address"))
        table.add_row(wording.when(item["time"]), *(plain(text or "") for text in texts))
    Output().print(table if items else "Nothing yet.")
