"""Receiver and API of this process's code, running in a thread, with a scripted guard."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from agentdog.guards import GuardInfo, Outcome, Verdict
from agentdog.guards.protocol import GuardSession, Health
from agentdog.service.redaction import Redactor
from agentdog.service.serve import serve
from agentdog.service.settings import Settings, load_settings
from agentdog.service.stores import open_store
from agentdog.trajectory import Header, Step
from tests.support.waiting import PATIENCE_S


class _Session:
    def extend(self, step: Step) -> None:
        pass

    async def verdict(self) -> Verdict:
        return Verdict(outcome=Outcome.SAFE, guard="f00d", p_unsafe=0.1)


class CalmGuard:
    """Finds everything safe."""

    info = GuardInfo(name="calm", uri="calm", fingerprint="f00d")

    def open(self, header: Header) -> GuardSession:
        return _Session()

    async def health(self) -> Health:
        return Health(ok=True, detail="calm")

    async def close(self) -> None:
        pass


def settings_for(url: str, ports: list[int], **more: Any) -> Settings:
    names = ("otlp_grpc", "otlp_http", "api", "ui")
    listen = {name: {"port": port} for name, port in zip(names, ports, strict=True)}
    return load_settings(**{"redis": {"url": url, "timeout_s": 2}, **listen, **more})


@contextmanager
def serving(
    settings: Settings, *, verify: ssl.SSLContext | bool = True, redactor: Redactor | None = None
) -> Iterator[Settings]:
    """Serves until the block ends; ready when it begins."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    failed: list[BaseException] = []

    async def run() -> None:
        async with open_store(settings) as store:
            await serve(settings, store, CalmGuard(), stop, redactor=redactor)

    def thread() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:
            failed.append(error)
        finally:
            loop.close()

    runner = threading.Thread(target=thread)
    runner.start()
    deadline = time.monotonic() + PATIENCE_S
    while not failed:
        try:
            httpx.get(f"{settings.api_url}/healthz", verify=verify).raise_for_status()
            httpx.get(f"{settings.otlp_endpoint}/", verify=verify)
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    try:
        if failed:
            raise failed[0]
        yield settings
    finally:
        if not failed:
            loop.call_soon_threadsafe(stop.set)
        runner.join()
