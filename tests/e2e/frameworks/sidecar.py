"""The sidecar as its own processes: the bundled store, ``agentdog serve`` and ``agentdog worker`` on free ports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agentdog.client import Client, Unavailable, Unreachable
from tests.support.ports import free_ports
from tests.support.stores import running_server

START_S = 180.0
_POLL_S = 0.1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Addresses of a sidecar that runs."""

    http: str
    grpc: str
    client: Client

    def idle(self) -> bool:
        """Whether everything received was woven and judged."""
        with urllib.request.urlopen(f"{self.client.base_url}/metrics", timeout=10) as answer:
            depth = re.search(r"^agentdog_queue_units (\S+)$", answer.read().decode(), re.MULTILINE)
        assert depth is not None, "no agentdog_queue_units in /metrics"
        return float(depth[1]) == 0


def until(condition: Callable[[], T], deadline_s: float) -> T:
    """Polls until a condition holds or time is up; returns what it said last."""
    deadline = time.monotonic() + deadline_s
    while not (said := condition()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return said


@contextmanager
def running_sidecar(logs: Path) -> Iterator[Sidecar]:
    """Starts a sidecar and ends it; its processes write to files in `logs`."""
    http, grpc, api = free_ports(3)
    with running_server() as store, ExitStack() as stack:
        settings = {
            "AGENTDOG_REDIS__URL": store.url,
            "AGENTDOG_OTLP_HTTP__PORT": str(http),
            "AGENTDOG_OTLP_GRPC__PORT": str(grpc),
            "AGENTDOG_API__PORT": str(api),
        }
        for command in ("serve", "worker"):
            stack.enter_context(_process(command, settings, logs / f"{command}.log"))
        sidecar = Sidecar(
            f"http://127.0.0.1:{http}", f"http://127.0.0.1:{grpc}", Client(f"http://127.0.0.1:{api}", timeout=START_S)
        )
        assert until(lambda: _answers(sidecar.client), START_S), (logs / "serve.log").read_text()
        yield sidecar


@contextmanager
def _process(command: str, settings: dict[str, str], log: Path) -> Iterator[None]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTDOG_", "OTEL_"))}
    with log.open("wb") as output:
        # On a tether, so that it ends with this process however that ends.
        process: subprocess.Popen[Any] = subprocess.Popen(
            [sys.executable, "-m", "agentdog", command, "--tethered"],
            env=clean | settings,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            process.communicate(timeout=START_S)


def _answers(client: Client) -> bool:
    try:
        return bool(client.guard())
    except (Unreachable, Unavailable):
        return False
