"""``agentdog serve``: receiver and API."""

from __future__ import annotations

import click

from agentdog.cli.common import json_option
from agentdog.cli.tether import service_settings, tether_option
from agentdog.service.process import run
from agentdog.service.run import run_serve


@click.command("serve")
@tether_option
@json_option
def command(tethered: bool, as_json: bool) -> None:
    """Run the receiver (OTLP on 4317 and 4318) and the API (8080) only. With --json, log lines are JSON."""
    run(run_serve(service_settings(as_json), tethered=tethered))
