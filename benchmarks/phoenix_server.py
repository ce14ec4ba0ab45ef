"""Arize Phoenix, as it is set up for comparison: a server of its own, on a folder of its own, that phones nobody."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.processes import Proc, answers, until
from tests.support.ports import free_ports

_STARTS_S = 300


def phoenix_server(venv: Path, folder: Path) -> tuple[Proc, str, int]:
    """Starts Phoenix of a virtual environment; returns its process, its address and its port for OTLP over HTTP."""
    port, grpc = free_ports(2)
    place = folder / "phoenix"
    place.mkdir(exist_ok=True)
    own = {
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_WORKING_DIR": str(place),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    command = [str(venv / "bin" / "python"), "-m", "phoenix.server.main", "serve"]
    process, base = Proc("phoenix", command, {**os.environ, **own}, folder), f"http://127.0.0.1:{port}"
    try:
        until("Phoenix is up", lambda: answers(f"{base}/healthz"), _STARTS_S, 0.5)
    except BaseException:
        process.end()
        raise
    return process, base, port
