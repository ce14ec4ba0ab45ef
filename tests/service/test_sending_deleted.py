"""Of a run that was deleted nothing is sent any more, and nothing waits to be."""

from __future__ import annotations

import asyncio

import pytest

from agentdog.diagnosis import Tuning
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.service.judging import Judging
from agentdog.service.retention import Retention
from agentdog.service.sending import Sending
from agentdog.service.settings import Settings, load_settings
from agentdog.service.worker import Judge, Worker
from agentdog.store.keys import Lane
from agentdog.store.redis_store import RedisStore
from tests.service.test_sending import LOOPBACK, SECRET, told, work_on
from tests.store.test_erasing import MARK, leak
from tests.support.clocks import HandClock
from tests.support.everything import everything
from tests.support.hook_server import Received, hook_server
from tests.support.otlp_server import http_receiver


async def alarmed(store: RedisStore, settings: Settings) -> str:
    """Stores a run with an alert and verdicts that wait to be sent; returns its unit."""
    await store.save_tuning("p", Tuning(alerting="on"))
    run = leak("go", MARK)
    await store.append("p", run)
    judging = Judging(store, EmbeddedGuard(), settings)
    weaving = Worker(store, judging, settings, name="w", memory=store.memory).weave
    parts: tuple[tuple[Lane, Judge], ...] = (("weave", weaving), ("judge", judging))
    for lane, part in parts:
        while works := await store.claim("w", count=8, block_ms=20, lane=lane):
            for work in works:
                await part(work)
            await store.done(works)
    return run.records[0].unit


async def nothing_left(store: RedisStore, url: str, unit: str) -> None:
    trace = unit.partition(":")[2]
    assert [text[:100] for text in await everything(url) if MARK in text or trace in text] == []
    waiting = (await store.waiting())["send"]
    assert (waiting.units, waiting.later, await store.unsent(["p"])) == (0, 0, 0)
    assert await store.deliveries(["p"], 10) == []


def settings_to(received: Received, endpoint: str) -> Settings:
    webhook = {"url": received.url, "secret": SECRET}
    outbound = {"webhook": webhook, "allow": LOOPBACK, "content": True, "otlp": {"endpoint": endpoint}}
    return load_settings(outbound=outbound, retention={"days": 1})


@pytest.mark.parametrize("how", ["forgotten", "retention"])
@pytest.mark.parametrize("tried", [False, True])
def test_what_waits_about_a_deleted_run_is_not_sent(server_url: str, how: str, tried: bool) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        unit = await alarmed(store, settings)
        assert await store.depth("send") >= 2
        if tried:  # the message lies there as it is to be sent again
            await work_on(store, send)
            assert MARK in str([delivery.body for delivery in await store.deliveries(["p"], 10)])
            assert (await store.waiting())["send"].later >= 1
        if how == "forgotten":
            await store.erase("p", [unit])
        else:
            clock.later(days=2)
            await Retention(store, load_settings(retention={"days": 1}), owner="w", clock=clock).look()
        await nothing_left(store, server_url, unit)
        before = len(received.requests)
        clock.later(3600)
        assert await work_on(store, send) == 0
        assert len(received.requests) == before

    with hook_server([500] * 50) as received, http_receiver() as collector:
        settings = settings_to(received, collector.endpoint)
        told(server_url, settings, scenario)


def test_an_alert_that_was_given_up_goes_with_its_run(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        unit = await alarmed(store, settings)
        for work in await store.claim("w", count=64, block_ms=20, lane="send"):
            await store.fail(work, f"ValueError: {MARK}", limit=1)
        assert await store.dead_letters()
        await store.erase("p", [unit])
        assert await store.dead_letters() == ()
        await nothing_left(store, server_url, unit)

    with hook_server() as received, http_receiver() as collector:
        settings = settings_to(received, collector.endpoint)
        told(server_url, settings, scenario)


def test_a_run_that_is_deleted_while_its_alert_is_under_way_leaves_nothing(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        unit = await alarmed(store, settings)
        sending = asyncio.create_task(work_on(store, send))
        while not await store.deliveries(["p"], 10):  # noqa: ASYNC110 - noted before the first try
            await asyncio.sleep(0.01)
        await store.erase("p", [unit])
        assert received.requests == []
        await sending
        await nothing_left(store, server_url, unit)

    with hook_server([500]) as received, http_receiver() as collector:
        received.hang_s = 4.0  # longer than a busy machine takes to delete
        settings = settings_to(received, collector.endpoint)
        told(server_url, settings, scenario)
