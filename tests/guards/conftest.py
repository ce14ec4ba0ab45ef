"""Models of random parameters, made once for all tests that need one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import there


@pytest.fixture(scope="session")
def wiring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model per kind of cache."""
    if there.interpreter() is None:
        pytest.skip(there.NO_TORCH)
    return there.models(tmp_path_factory.mktemp("wiring"), "qwen3", "qwen3_5", "gemma3")
