"""``kill -9`` of the worker that sends: every alert arrives, and what arrives twice says so by its key."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from agentdog.service.settings import Settings, load_settings, to_environment
from agentdog.store.redis_store import RedisStore
from tests.service.test_sending import LOOPBACK, SECRET, raise_alert
from tests.support.hook_server import Received, hook_server
from tests.support.stores import play

ALERTS = 20
KILLS = 2
SECONDS = 150.0


def settings_for_worker(server_url: str, received: Received, folder: Path) -> Settings:
    return load_settings(
        data=folder,
        redis={"url": server_url},
        worker={"lease_s": 1.0, "attempts": 50},
        outbound={
            "webhook": {"url": received.url, "secret": SECRET},
            "allow": LOOPBACK,
            "retry_s": 0.1,
            "per_minute": 10_000,
        },
    )


def worker(settings: Settings) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **to_environment(settings)}
    command = [sys.executable, "-m", "agentdog", "worker"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_every_alert_arrives_though_its_worker_is_killed_and_a_repeat_carries_the_same_key(
    server_url: str, tmp_path: Path
) -> None:
    async def scenario(store: RedisStore) -> None:
        for number in range(ALERTS):
            await raise_alert(store, f"t{number}")
        while works := await store.claim("nobody", count=64, block_ms=20, lane="judge"):
            await store.done(works)  # a guard of the worker would find nothing, and withdraw them
        deadline = time.monotonic() + SECONDS
        for killed in range(KILLS):
            process = worker(settings)
            try:
                while len(received.requests) < (killed + 1) * 5:
                    assert time.monotonic() < deadline, "the worker sends nothing"
                    await asyncio.sleep(0.01)
            finally:
                process.kill()  # some messages are with the receiver, and nobody has noted its answer
                process.wait()
        process = worker(settings)
        try:
            while await store.unsent(["p"]) or len(await store.deliveries(["p"], 100)) < ALERTS:
                assert time.monotonic() < deadline, "not everything was delivered"
                await asyncio.sleep(0.05)
        finally:
            process.kill()
            process.wait()
        assert {d.state for d in await store.deliveries(["p"], 100)} == {"delivered"}

    with hook_server([500, 200, 500] * 6) as received:
        received.hang_s = 0.15
        settings = settings_for_worker(server_url, received, tmp_path)
        play(server_url, scenario)
    by_key = Counter(headers["idempotency-key"] for headers, _ in received.taken)
    assert len(by_key) == ALERTS, "each is told"
    twice = sum(count - 1 for count in by_key.values())
    assert twice <= KILLS * 8, "no more than was under way when a worker died"
    bodies = {(headers["idempotency-key"], body) for headers, body, _ in received.requests}
    assert len(bodies) == ALERTS, "and a repeat says the same"
