"""Real processes for benchmarks: a Valkey server, receivers, workers, Phoenix; what they cost, and their end.

Linux only: CPU seconds and resident memory are read from ``/proc``.
"""

from __future__ import annotations

import atexit
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from agentdog.store.embedded import binary
from tests.support.ports import free_ports

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START_S = 240.0


class Proc:
    """A started program; `cpu_s` and `rss_mib` are of it and the children that it has now."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self._command, self._environment = command, dict(environment)
        self._log = folder / f"{name}.log"
        self.start()
        atexit.register(self.end)  # however the benchmark ends

    def start(self) -> None:
        """Starts it, or starts it again after it was killed."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def cpu_s(self) -> float:
        """User and system time."""
        return sum(cpu_s(pid) for pid in self._pids())

    def rss_mib(self) -> float:
        """Resident memory."""
        return sum(_rss(pid) for pid in self._pids()) / 2**20

    def _pids(self) -> list[int]:
        return [self.process.pid, *descendants(self.process.pid)] if self.alive else []

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """SIGTERM, and SIGKILL when that is not enough."""
        if not self.alive:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def words(self) -> str:
        """What it logged last."""
        return self._log.read_text(errors="replace")[-2000:]


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_s(pid: int) -> float:
    """User and system time of one process."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICK if fields else 0.0


def machine() -> str:
    """This machine in a few words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def pace_ms() -> float:
    """What a fixed piece of Python takes on this machine just now, in CPU milliseconds."""
    started = time.process_time()
    sum(range(1_000_000))
    return round((time.process_time() - started) * 1000, 1)


def _rss(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0


def descendants(pid: int) -> list[int]:
    """Returns the processes below one."""
    found = []
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdecimal() else []
        if fields and int(fields[1]) == pid:
            found += [int(entry.name), *descendants(int(entry.name))]
    return found


def until(what: str, condition: Callable[[], bool], seconds: float = _START_S, pause_s: float = 0.05) -> None:
    """Waits for a condition; ends the program where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not after {seconds:.0f} s")
        time.sleep(pause_s)  # between two looks at another process


def settle(proc: Proc) -> None:
    """Waits until a process that starts has nothing more to do: it used no processor for a while."""
    last = -1.0
    while proc.cpu_s() - last > 0.1 or last < 1.0:
        last = proc.cpu_s()
        time.sleep(4)  # the while: shorter, and a pause between two imports would pass for rest


def answers(url: str) -> bool:
    """Whether a GET is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder in a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ad-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def redis(where: Path, *, port: int, fsync: str) -> Proc:
    """Starts the bundled Valkey server with an append-only file on a TCP port of loopback."""
    data = where / "redis"
    data.mkdir(exist_ok=True)
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": "",
    }
    command = [str(binary()), *(part for key, value in options.items() for part in (f"--{key}", value))]
    proc = Proc("redis", command, os.environ, where)
    until("redis listens", lambda: _listens(port))
    return proc


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def agentdog(where: Path, command: str, name: str, settings: Mapping[str, str]) -> Proc:
    """Starts ``agentdog serve`` or ``agentdog worker`` with settings (without the prefix ``AGENTDOG_``)."""
    own = {f"AGENTDOG_{key}": value for key, value in settings.items()}
    environment = {**os.environ, "AGENTDOG_LOG_LEVEL": "warning", "AGENTDOG_DATA": str(where / "data"), **own}
    return Proc(name, [sys.executable, "-m", "agentdog", command], environment, where)


def receiver(where: Path, name: str, settings: Mapping[str, str]) -> tuple[Proc, int, int]:
    """Starts a receiver on free ports; returns it with its OTLP/HTTP and its API port, once it is ready."""
    grpc, http, api = free_ports(3)
    ports = {"OTLP_GRPC__PORT": str(grpc), "OTLP_HTTP__PORT": str(http), "API__PORT": str(api)}
    proc = agentdog(where, "serve", name, {**settings, **ports})
    until(f"{name} is ready", lambda: answers(f"http://127.0.0.1:{api}/readyz") or not proc.alive)
    if not proc.alive:
        sys.exit(f"{name} ended: {proc.words()}")
    return proc, http, api
