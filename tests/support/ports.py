"""Ports for servers of tests, each given once."""

from __future__ import annotations

import os
import random
import socket

# Below those that systems hand to whoever connects or asks for any port: nothing takes one before its server starts.
_FIRST, _LAST = 18_000, 32_000
_WORKERS = 16  # processes of tests that run side by side share the ports out


def free_ports(count: int) -> list[int]:
    """So many ports of loopback on which nobody listens, and which no other test is given."""
    ports = [port for _ in range(count) if (port := _next())]
    assert len(ports) == count, "no port is left"
    return ports


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    return free_ports(1)[0]


def _numbers() -> list[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    numbers = list(range(_FIRST + worker, _LAST, _WORKERS))
    random.shuffle(numbers)  # another suite may run on the same machine
    return numbers


_left = _numbers()


def _next() -> int | None:
    while _left:
        port = _left.pop()
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    return None
