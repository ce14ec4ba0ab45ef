"""``agentdog up`` as a person starts it, and a look at its process tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from agentdog.service.settings import Settings, to_environment

SECONDS = 180.0

linux_only = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc")


@contextmanager
def up(settings: Settings, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """``agentdog up`` as a person starts it; killed by its pid whatever happens.

    What it says goes to `log`, else to a pipe that the caller reads: a pipe that nobody reads is full after a minute of
    trouble, and then whoever logs waits for ever.
    """
    environment = {**os.environ, **to_environment(settings)}
    with ExitStack() as stack:
        said = stack.enter_context(log.open("ab")) if log else subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-m", "agentdog", "up"], env=environment, stderr=said)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


def ready(settings: Settings) -> bool:
    try:
        return httpx.get(f"{settings.api_url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def descendants(pid: int) -> list[int]:
    found = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
