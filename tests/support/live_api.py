"""The API as agents' people meet it: real routers over a real store, served by uvicorn on a free port of loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from agentdog.guards import Guard, GuardInfo, GuardSession, Health
from agentdog.service.api import build_router
from agentdog.store.contract import Store
from agentdog.trajectory import Header
from tests.support import runs
from tests.support.stores import store_at

DEADLINE_S = 120.0


class IdleGuard:
    """A guard that is only asked who it is and how it does."""

    @property
    def info(self) -> GuardInfo:
        return runs.GUARD

    def open(self, header: Header) -> GuardSession:
        raise AssertionError(f"the API judged a trajectory of {sorted(header.agents)}")

    async def health(self) -> Health:
        return Health(ok=True, detail="ready")

    async def close(self) -> None:
        return None


def app_over(store: Store, guard: Guard | None = None, **parts: Any) -> FastAPI:
    """The API alone; `serving` closes its store and guard."""
    app, guard = FastAPI(), guard or IdleGuard()
    app.include_router(build_router(store, guard, **parts))
    app.state.opened = (store, guard)
    return app


async def _serve(app: FastAPI, server: uvicorn.Server, listener: socket.socket) -> None:
    """Serves until told to end, then closes what the app asks, on the loop that opened its connections."""
    await server.serve(sockets=[listener])
    for each in getattr(app.state, "opened", ()):
        await each.close()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serves an app in a thread of its own; yields its base address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=asyncio.run, args=(_serve(app, server, listener),), daemon=True)
        thread.start()
        deadline = time.monotonic() + DEADLINE_S
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline, "uvicorn did not start"
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)


@contextmanager
def serving_store(url: str) -> Iterator[str]:
    """Serves the API over the store at `url`."""
    with serving(app_over(store_at(url))) as base:
        yield base


def fill(url: str, *samples: runs.Sample) -> None:
    """Puts samples into the store at `url`, in a loop of its own."""

    async def put() -> None:
        store = store_at(url)
        try:
            await runs.put(store, *samples)
        finally:
            await store.close()

    with ThreadPoolExecutor(1) as elsewhere:  # Playwright keeps a loop running in the test's own thread
        elsewhere.submit(asyncio.run, put()).result(DEADLINE_S)
