"""``agentdog ui``: the dashboard, on the API's address."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import click

from agentdog.base.errors import OutsideError
from agentdog.cli.common import emit, json_option
from agentdog.cli.tether import service_settings, tether_option
from agentdog.service import ports
from agentdog.service.dashboard import REMEDY, installed


@click.command("ui")
@tether_option
@json_option
def command(tethered: bool, as_json: bool) -> None:
    """Run the dashboard only; it talks to the API, never to the store. With --json its address is printed first."""
    if not installed():
        raise OutsideError(f"the dashboard needs Streamlit: {REMEDY}")
    from dashboard.launch import command as streamlit

    settings = service_settings(as_json)
    ports.bind(settings.ui, "ui").close()  # Streamlit would end with 1, which means a finding here
    if as_json:
        emit({"dashboard": settings.ui_url, "api": settings.api_url})
    run = streamlit(host=settings.ui.host, port=settings.ui.port)
    environment = {
        **os.environ,
        "AGENTDOG_API_URL": settings.api_url,
        "AGENTDOG_TRACE_LINKS": json.dumps(settings.ui.trace_links),
    }
    if tethered:
        watchdog = [sys.executable, "-m", "agentdog.store.watchdog"]
        os.execve(sys.executable, [*watchdog, *run], environment)  # noqa: S606 - our own interpreter
    try:
        sys.exit(subprocess.run(run, env=environment, check=False).returncode)  # noqa: S603
    except KeyboardInterrupt:
        sys.exit(0)
