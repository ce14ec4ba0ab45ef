"""A real server for the whole folder, emptied before every scenario."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.support.redis_servers import distribution_redis, server
from tests.support.stores import play, running_server


@pytest.fixture(scope="session", params=["bundled", pytest.param("distribution", marks=pytest.mark.slow)])
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The bundled Valkey, and once more the distribution's redis-server."""
    if request.param == "bundled":
        with running_server() as bundled:
            yield bundled.url
        return
    program = distribution_redis()
    if program is None:
        pytest.skip("no redis-server is installed here")
    with server(program) as url:
        yield url


@pytest.fixture
def with_store(server_url: str) -> Any:
    return partial(play, server_url)
