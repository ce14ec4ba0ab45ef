"""The served API over a filled store: one for all tests that read, one of its own for each that changes it."""

from collections.abc import Iterator

import pytest

from agentdog.client import Client
from dashboard.source import URL_VARIABLE
from tests.support import runs
from tests.support.filled_api import api_url, client
from tests.support.live_api import fill, serving_store
from tests.support.stores import running_server

__all__ = ["api_url", "client", "own"]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of an API whose runs and views this test may change; the pages ask the same."""
    with running_server() as server:
        fill(server.url, *runs.everything())
        with serving_store(server.url) as base:
            monkeypatch.setenv(URL_VARIABLE, base)
            yield Client(base)
