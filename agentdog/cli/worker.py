"""``agentdog worker``: weaves trajectories and has them judged; run as many as there is work for."""

from __future__ import annotations

import click

from agentdog.cli.common import json_option
from agentdog.cli.tether import service_settings, tether_option
from agentdog.service.process import run
from agentdog.service.run import run_worker


@click.command("worker")
@tether_option
@json_option
def command(tethered: bool, as_json: bool) -> None:
    """Run a worker only. Any number may share one store. With --json, log lines are JSON."""
    run(run_worker(service_settings(as_json), tethered=tethered))
