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
from agentdog.service.auth import check_exposure, is_loopback
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
    check_exposure(settings, ("ui",))
    if os.environ.get("AGENTDOG_TOKEN") and not is_loopback(settings.ui.host) and not settings.auth.allow_open:
        raise OutsideError(
            "AGENTDOG_TOKEN would let everybody in who reaches the dashboard: unset it (visitors are asked for "
            "theirs), listen on 127.0.0.1, or set AGENTDOG_AUTH__ALLOW_OPEN=true"
        )
    run = streamlit(host=settings.ui.host, port=settings.ui.port, cert=settings.tls.cert, key=settings.tls.key)
    environment = {
        **os.environ,
        "AGENTDOG_API_URL": settings.api_url,
        "AGENTDOG_OTLP_URL": settings.otlp_endpoint,
        "AGENTDOG_TRACE_LINKS": json.dumps(settings.ui.trace_links),
    }
    if settings.tls.ca is not None:
        environment["SSL_CERT_FILE"] = str(settings.tls.ca)
    if tethered:
        watchdog = [sys.executable, "-m", "agentdog.store.watchdog"]
        os.execve(sys.executable, [*watchdog, *run], environment)  # noqa: S606 - our own interpreter
    try:
        sys.exit(subprocess.run(run, env=environment, check=False).returncode)  # noqa: S603
    except KeyboardInterrupt:
        sys.exit(0)
