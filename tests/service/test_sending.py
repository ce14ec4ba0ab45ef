"""Alerts through the real store to a real receiver that fails, hangs, redirects or is far away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from agentdog.base.errors import UsageError
from agentdog.diagnosis import Tuning
from agentdog.guards import Outcome
from agentdog.review import Review
from agentdog.service.figures import Figures
from agentdog.service.sending import Sending
from agentdog.service.settings import Settings, load_settings
from agentdog.service.targets import open_targets
from agentdog.store.contract import Work
from agentdog.store.redis_store import RedisStore
from tests.support import records
from tests.support.clocks import HandClock
from tests.support.hook_server import Received, hook_server
from tests.support.stores import play

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = ["127.0.0.0/8"]


def settings_to(received: Received, **more: Any) -> Settings:
    options = {"webhook": {"url": received.url, "secret": SECRET}, "allow": LOOPBACK, **more}
    return load_settings(outbound=options)


async def raise_alert(store: RedisStore, name: str = "t", project: str = "p", alerting: Any = "on") -> None:
    run = records.trajectory(name, project=project)
    said = records.diagnosis(run, Outcome.UNSAFE)
    told = tuple(msgspec.structs.replace(i, alert=True) for i in said.incidents)
    await store.save_trajectory(run, [])
    assert await store.save_diagnosis(project, msgspec.structs.replace(said, incidents=told), alerting=alerting)


async def work_on(store: RedisStore, send: Callable[[Work], Any]) -> int:
    """Works on what waits in the lane now."""
    count = 0
    while works := await store.claim("w", count=64, block_ms=20, lane="send"):
        for work in works:
            await send(work)
        await store.done(works)
        count += len(works)
    return count


def told(server_url: str, settings: Settings, scenario: Callable[[RedisStore, Sending, HandClock], Any]) -> Any:
    clock = HandClock()

    async def run(store: RedisStore) -> Any:
        async with open_targets(settings) as targets:
            figures = Figures(store)
            result = await scenario(store, Sending(store, targets, settings, figures=figures, clock=clock), clock)
            await figures.flush()
            return result

    return play(server_url, run, clock=clock)


def test_a_receiver_that_fails_five_times_gets_exactly_one_alert(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        for _ in range(3):  # told again and again, as a run grows
            await raise_alert(store)
        for tries in range(1, 7):
            await work_on(store, send)
            await work_on(store, send)  # not before its time
            assert len(received.requests) == tries
            clock.later(40)
        clock.later(3600)
        assert await work_on(store, send) == 0
        (delivery,) = await store.deliveries(["p"], 10)
        assert (delivery.state, delivery.attempts, delivery.error) == ("delivered", 6, None)
        assert await store.unsent(["p"]) == 0

    with hook_server([500, 503, 429, 404, 502]) as received:
        told(server_url, settings_to(received), scenario)
        assert len(received.taken) == 1
        (body,) = received.bodies
        assert (body["incident_id"], body["step"], body["project"]) == ("t-i", 2, "p")
        keys = {headers["idempotency-key"] for headers, _, _ in received.requests}
        assert len(keys) == 1, "every try carries the same key"
        assert len({body for _, body, _ in received.requests}) == 1, "and says the same"
        assert all(headers["webhook-signature"].startswith("v1,") for headers, _, _ in received.requests)


def test_where_alerts_are_only_observed_nobody_is_told(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        await raise_alert(store, alerting="observe")
        assert await work_on(store, send) == 0
        await store.save_tuning("p", Tuning(alerting="on"))
        await raise_alert(store)
        assert await work_on(store, send) == 0, "what was only counted then is not told later"

    with hook_server() as received:
        told(server_url, settings_to(received), scenario)
        assert received.requests == []


def test_what_people_dismiss_before_it_is_sent_is_withdrawn(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        await raise_alert(store)
        said = Review(
            id="r",
            project="p",
            trajectory_id="t",
            subject="t-i",
            action="dismiss",
            author="ann",
            time="2026-01-01T00:00:00Z",
        )
        await store.add_review(said)
        await work_on(store, send)
        (delivery,) = await store.deliveries(["p"], 10)
        assert (delivery.state, delivery.attempts) == ("withdrawn", 0)

    with hook_server() as received:
        told(server_url, settings_to(received), scenario)
        assert received.requests == []


def test_a_message_is_given_up_after_its_tries_and_at_once_where_the_receiver_is_gone(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        await raise_alert(store)
        for _ in range(5):
            await work_on(store, send)
            clock.later(100)
        await raise_alert(store, "u")
        await work_on(store, send)
        found = {d.trajectory_id: d for d in await store.deliveries(["p"], 10, unsent=True)}
        assert {d.state for d in found.values()} == {"given_up"}
        assert (found["t"].attempts, found["u"].attempts) == (3, 1)
        assert "HTTP 500" in (found["t"].error or "")

    with hook_server([500, 500, 500, 410]) as received:
        told(server_url, settings_to(received, attempts=3), scenario)
        assert len(received.requests) == 4


def test_a_minute_has_room_for_so_many_and_the_rest_waits(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        for number in range(5):
            await raise_alert(store, f"t{number}")
        seen = []
        for _ in range(4):
            await work_on(store, send)
            seen.append(len(received.taken))
            clock.later(60)
        assert seen == [2, 4, 5, 5]

    with hook_server() as received:
        told(server_url, settings_to(received, per_minute=2), scenario)
        assert len({body["incident_id"] for body in received.bodies}) == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allow": []}, "no public address"),
        ({"timeout_s": 0.2}, "no answer in time"),
    ],
)
def test_an_address_within_is_refused_and_a_receiver_that_hangs_is_left(
    server_url: str, options: dict[str, Any], words: str
) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        await raise_alert(store)
        await work_on(store, send)
        (delivery,) = await store.deliveries(["p"], 10)
        assert delivery.state == "pending"
        assert words in (delivery.error or "")
        assert received.url not in (delivery.error or ""), "an address may be a secret"

    with hook_server() as received:
        received.hang_s = 1.0
        told(server_url, settings_to(received, **options), scenario)
        assert received.taken == []


def test_a_redirect_is_not_followed(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        await raise_alert(store)
        await work_on(store, send)
        (delivery,) = await store.deliveries(["p"], 10)
        assert "redirects are not followed" in (delivery.error or "")

    with hook_server() as within, hook_server([302]) as received:
        received.more = {"Location": within.url}
        told(server_url, settings_to(received), scenario)
        assert len(received.requests) == 1
        assert within.requests == []


def test_one_place_that_fails_keeps_no_other_from_being_told(server_url: str) -> None:
    async def scenario(store: RedisStore, send: Sending, clock: HandClock) -> None:
        await raise_alert(store)
        for _ in range(3):
            await work_on(store, send)
            clock.later(40)
        states = {d.target: (d.state, d.attempts) for d in await store.deliveries(["p"], 10)}
        assert states == {"webhook": ("delivered", 3), "slack": ("delivered", 1)}

    with hook_server([500, 500]) as failing, hook_server() as chat:
        told(server_url, settings_to(failing, slack={"url": chat.url}), scenario)
        (said,) = chat.bodies
        assert "unsafe at step 2" in said["text"]


def test_settings_that_cannot_work_are_refused_at_the_start() -> None:
    async def built(**options: Any) -> None:
        async with open_targets(load_settings(outbound=options)):
            pass

    for options, name in (
        ({"webhook": {"url": "https://h/"}}, "AGENTDOG_OUTBOUND__WEBHOOK__SECRET"),
        ({"webhook": {"url": "h", "secret": SECRET}}, "AGENTDOG_OUTBOUND__WEBHOOK__URL"),
        ({"slack": {"url": "h"}}, "AGENTDOG_OUTBOUND__SLACK__URL"),
        ({"allow": ["x"]}, "AGENTDOG_OUTBOUND__ALLOW"),
        ({"otlp": {"endpoint": "localhost:4318"}}, "AGENTDOG_OUTBOUND__OTLP__ENDPOINT"),
        ({"otlp": {"endpoint": "http://h", "headers": "x"}}, "AGENTDOG_OUTBOUND__OTLP__HEADERS"),
    ):
        with pytest.raises(UsageError, match=name):
            asyncio.run(built(**options))
