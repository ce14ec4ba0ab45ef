"""The process tree of ``agentdog up``: store, receiver with API, worker, dashboard.

Invariants: children end before the store does; none outlives the supervisor; one that dies or hangs is started again;
the tree is ready when the API says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO

import httpx

from agentdog.base.errors import OutsideError, StoreUnavailable
from agentdog.guards import factory
from agentdog.service import dashboard, ports
from agentdog.service.auth import check_exposure
from agentdog.service.children import Child
from agentdog.service.redaction import redactor_of
from agentdog.service.run import policy_file
from agentdog.service.settings import Settings, to_environment
from agentdog.service.stores import connect
from agentdog.store.embedded import EmbeddedServer, private_folder

_log = logging.getLogger(__name__)
_READY_S = 60.0
_POLL_S = 0.1
_RESTART_S = 0.5
_LISTENERS = ("otlp_grpc", "otlp_http", "api", "ui")


class Running:
    """A tree that is up.

    Attributes:
        settings: with the store's address filled in.
        children: by name, for people and tests.
        dashboard: whether the dashboard is among them.
    """

    def __init__(self, settings: Settings, children: dict[str, Child]) -> None:
        self.settings = settings
        self.children = children
        self.dashboard = "ui" in children


@asynccontextmanager
async def supervise(settings: Settings, *, quiet: bool = False) -> AsyncIterator[Running]:
    """Starts everything, gives it once the API is ready, and ends everything when left.

    Args:
        settings: of all processes.
        quiet: children write to ``log/NAME.log`` in the data folder instead of standard error.

    Raises:
        OutsideError: a port is in use, the store does not answer or cannot be run, the guard cannot be built, or a
            child says that it cannot run.
    """
    with_dashboard = dashboard.installed()
    await _check_beforehand(settings, with_dashboard)
    async with AsyncExitStack() as stack:
        server = None
        if settings.redis.url is None:
            server = await stack.enter_async_context(EmbeddedServer(settings.data, fsync=settings.redis.fsync))
            settings = settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": server.url})})
        outputs = _outputs(settings, stack) if quiet else {}
        running = Running(settings, _children(settings, with_dashboard, outputs))
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                for child in running.children.values():
                    group.create_task(child.keep(stop))
                if server is not None:
                    group.create_task(_keep_store(server, stop))
                try:
                    await _until_ready(settings)
                    yield running
                finally:
                    stop.set()
        except BaseExceptionGroup as failures:
            raise _first(failures) from failures


async def _check_beforehand(settings: Settings, with_dashboard: bool) -> None:
    """Says what no restart of a child would mend, before anything is started."""
    check_exposure(settings, _LISTENERS if with_dashboard else _LISTENERS[:-1])
    folder = settings.data / factory.PACKS_FOLDER
    await factory.build(settings.guard.uri, folder).close()
    if settings.check.guard is not None:
        await factory.build(settings.check.guard, folder).close()
    policy_file(settings)
    redactor_of(settings)
    if settings.redis.url is not None:
        store = connect(settings, settings.redis.url)
        try:
            await store.ping()
        except StoreUnavailable as error:
            raise OutsideError(f"AGENTDOG_REDIS__URL: {error}") from error
        finally:
            await store.close()
    for name in _LISTENERS if with_dashboard else _LISTENERS[:-1]:
        ports.bind(getattr(settings, name), name).close()


def _children(settings: Settings, with_dashboard: bool, outputs: Mapping[str, IO[bytes]]) -> dict[str, Child]:
    environment = {**os.environ, **to_environment(settings)}
    agentdog = [sys.executable, "-m", "agentdog"]
    commands = {name: [*agentdog, name, "--tethered"] for name in ("serve", "worker", "ui")}
    if not with_dashboard:
        del commands["ui"]
    silence_s = settings.limits.stall_s
    return {
        name: Child(name, command, environment, outputs.get(name), silence_s=silence_s)
        for name, command in commands.items()
    }


def _outputs(settings: Settings, stack: AsyncExitStack) -> dict[str, IO[bytes]]:
    folder = Path(settings.data).expanduser() / "log"
    private_folder(folder)
    return {name: stack.enter_context((folder / f"{name}.log").open("ab")) for name in ("serve", "worker", "ui")}


async def _keep_store(server: EmbeddedServer, stop: asyncio.Event) -> None:
    """Starts the bundled server again when it dies; meanwhile the receiver answers 503."""
    while not stop.is_set():
        if not server.running:
            _log.warning("the bundled store ended; starting it again")
            await server.start()
        try:
            await asyncio.wait_for(stop.wait(), _RESTART_S)
        except TimeoutError:
            continue


async def _until_ready(settings: Settings) -> None:
    deadline = time.monotonic() + _READY_S
    said = "nothing"
    # Our own child on this machine, asked for its health only: the certificate need not name this address.
    async with httpx.AsyncClient(timeout=2.0, verify=False) as client:  # noqa: S501
        while time.monotonic() < deadline:
            try:
                answer = await client.get(f"{settings.api_url}/readyz")
                if answer.status_code == httpx.codes.OK:
                    return
                said = answer.text
            except httpx.TransportError as error:
                said = str(error)
            await asyncio.sleep(_POLL_S)
    raise OutsideError(f"not ready after {_READY_S:.0f} s; {settings.api_url}/readyz says: {said}")


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Returns the one that tells people what to do, else the first."""
    ours = failures.subgroup(OutsideError)
    found: BaseException = ours or failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
