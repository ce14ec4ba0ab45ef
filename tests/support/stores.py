"""The bundled server, really running, for tests of several rooms."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from agentdog.base.clock import Clock
from agentdog.store.embedded import EmbeddedServer
from agentdog.store.link import Link
from agentdog.store.redis_store import RedisStore

T = TypeVar("T")
Scenario = Callable[[RedisStore], Awaitable[Any]]


@contextmanager
def running_server() -> Iterator[EmbeddedServer]:
    """A server on a folder of its own, in a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="ad-") as folder:
        server = EmbeddedServer(Path(folder), fsync="everysec")
        asyncio.run(server.start())
        try:
            yield server
        finally:
            asyncio.run(server.stop())


def store_at(url: str, *, lease_s: float = 60.0, clock: Clock | None = None) -> RedisStore:
    """A store with small limits."""
    return RedisStore(Link.to(url, 5.0), lease_s=lease_s, verdict_ttl_s=60, feed_events=1000, clock=clock)


def play(url: str, scenario: Scenario, **options: Any) -> Any:
    """Runs a scenario against an emptied server."""

    async def run() -> Any:
        link = Link.to(url, 5.0)
        await link.everywhere("FLUSHALL")
        await link.close()
        store = store_at(url, **options)
        try:
            return await scenario(store)
        finally:
            await store.close()

    return asyncio.run(run())
