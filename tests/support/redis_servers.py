"""Real servers beside the bundled one: the distribution's redis-server, and clusters of three on loopback."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agentdog.store.address import Address
from agentdog.store.embedded import binary
from agentdog.store.topology import SLOTS
from agentdog.store.wire import ReplyError, Wire
from tests.support.ports import free_ports

_START_S = 120.0


def distribution_redis() -> str | None:
    return shutil.which("redis-server")


@contextmanager
def server(program: str | None = None, *, port: int | None = None, **options: str) -> Iterator[str]:
    """One server with an append-only file; gives its address."""
    port = port or free_ports(1)[0]
    with tempfile.TemporaryDirectory(prefix="ad-", ignore_cleanup_errors=True) as folder:
        process = start(Path(folder), port, program, **options)
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def start(folder: Path, port: int, program: str | None = None, **options: str) -> subprocess.Popen[bytes]:
    given = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        **{name.replace("_", "-"): value for name, value in options.items()},
    }
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    process = subprocess.Popen([program or str(binary()), *arguments], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            assert process.poll() is None, "the server does not start"
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextmanager
def cluster(program: str | None = None, **options: str) -> Iterator[str]:
    """Three primaries that share the slots; gives the address of two of them."""
    with ExitStack() as stack:
        ports = free_ports(6)
        for port, bus in zip(ports[:3], ports[3:], strict=True):
            extra = {"cluster_enabled": "yes", "cluster_port": str(bus), **options}
            stack.enter_context(server(program, port=port, **extra))
        asyncio.run(join(ports[:3], ports[3:]))
        yield f"redis://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}"


async def join(ports: list[int], buses: list[int]) -> None:
    """Makes three empty servers one cluster."""
    bounds = [SLOTS * part // len(ports) for part in range(len(ports) + 1)]
    wires = [await Wire.open(Address(host="127.0.0.1", port=port), 5.0) for port in ports]
    for number, wire in enumerate(wires):
        said = await wire.exchange(
            [
                ("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1),
                *(("CLUSTER", "MEET", "127.0.0.1", port, bus) for port, bus in zip(ports, buses, strict=True)),
            ]
        )
        assert not any(isinstance(each, ReplyError) for each in said), said
    deadline = time.monotonic() + _START_S
    for wire in wires:
        while b"cluster_state:ok" not in (await wire.exchange([("CLUSTER", "INFO")]))[0] or (
            len((await wire.exchange([("CLUSTER", "SLOTS")]))[0]) < len(ports)
        ):
            assert time.monotonic() < deadline, "the servers do not become a cluster"
            await asyncio.sleep(0.05)
        wire.close()
