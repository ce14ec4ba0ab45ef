"""``agentdog mcp``: a Model Context Protocol server over standard input and output, for assistants that read runs."""

from __future__ import annotations

import importlib.util

import click

from agentdog.base.errors import OutsideError
from agentdog.cli.remote import client_at, url_option


@click.command("mcp")
@url_option
def command(url: str | None) -> None:
    """Serve read-only tools over MCP on standard input and output: list, get, explain. A client starts this."""
    if importlib.util.find_spec("mcp") is None:
        raise OutsideError("MCP needs its own SDK: pip install 'agentdog-sidecar[mcp]'")
    from agentdog.cli.mcp_tools import build

    with client_at(url) as client:
        build(client).run("stdio")
