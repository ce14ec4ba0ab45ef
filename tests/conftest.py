"""Settings of a sidecar of one's own, for every test that starts one."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from agentdog.service.settings import Settings, load_settings

# Tests never assert on the clock, and machines are busy: an example may take as long as it takes.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests of a file together where tests run side by side; those that run a model name their own group."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _free_ports() -> list[int]:
    """Four ports, bound all at once so that they differ."""
    bound = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    numbers: list[int] = [each.getsockname()[1] for each in bound]
    for each in bound:
        each.close()
    return numbers


@pytest.fixture
def ports() -> list[int]:
    return _free_ports()


@pytest.fixture
def spare_ports() -> list[int]:
    return _free_ports()


def listen_anywhere() -> dict[str, Any]:
    """Settings of listeners on free ports."""
    names = ("otlp_grpc", "otlp_http", "api", "ui")
    return {name: {"port": port} for name, port in zip(names, _free_ports(), strict=True)}


@pytest.fixture
def settings() -> Iterator[Settings]:
    """Settings of a sidecar of one's own: free ports, an empty data folder."""
    # A store whose owner was killed ends a moment later, and may still write while the folder goes.
    with tempfile.TemporaryDirectory(prefix="ad-", ignore_cleanup_errors=True) as folder:
        yield load_settings(data=Path(folder) / "data", **listen_anywhere())
