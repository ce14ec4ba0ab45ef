"""Settings of a sidecar of one's own, for every test that starts one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from agentdog.service.settings import Settings, load_settings
from tests.support import vllm_server
from tests.support.ports import free_ports

# Tests never assert on the clock, and machines are busy: an example may take as long as it takes.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keeps the tests of a file together where tests run side by side, and those that run a model."""
    if config.getoption("dist") != "loadgroup":
        return None
    from tests.support.abreast import ByFileOrGroup

    return ByFileOrGroup(config, log)


@pytest.fixture
def ports() -> list[int]:
    return free_ports(4)


@pytest.fixture
def spare_ports() -> list[int]:
    return free_ports(4)


def listen_anywhere() -> dict[str, Any]:
    """Settings of listeners on free ports."""
    names = ("otlp_grpc", "otlp_http", "api", "ui")
    return {name: {"port": port} for name, port in zip(names, free_ports(4), strict=True)}


@pytest.fixture
def settings() -> Iterator[Settings]:
    """Settings of a sidecar of one's own: free ports, an empty data folder."""
    # A store whose owner was killed ends a moment later, and may still write while the folder goes.
    with tempfile.TemporaryDirectory(prefix="ad-", ignore_cleanup_errors=True) as folder:
        yield load_settings(data=Path(folder) / "data", **listen_anywhere())


@pytest.fixture(scope="session")
def vllm_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wiring model's folder, made where there is vLLM."""
    if why := vllm_server.missing():
        pytest.skip(why)  # 2 GB, and no index may answer: `make test` does without, `make test-all` installs it
    return vllm_server.model(tmp_path_factory.mktemp("wiring") / "model")


@pytest.fixture(scope="session")
def vllm_running(vllm_model: Path) -> Iterator[vllm_server.Running]:
    """A vLLM server with it, one for all tests: starting takes a minute or more."""
    with vllm_server.vllm_server(vllm_model, vllm_model.parent / "server.log") as running:
        yield running
