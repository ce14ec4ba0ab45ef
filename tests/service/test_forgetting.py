"""Forgetting as an administrator asks for it, and retention as a worker does it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from agentdog.cli.forget import command
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.service.redaction import build
from agentdog.service.retention import Retention
from agentdog.service.settings import Settings, load_settings
from agentdog.spans.records import Decoded
from agentdog.store.contract import Query
from agentdog.store.redis_store import RedisStore
from tests.guards.steps import says, user
from tests.support.clocks import HandClock
from tests.support.everything import everything
from tests.support.serving import serving, settings_for
from tests.support.stores import play
from tests.support.told import judged, run_of

REDACTOR = build(b"k" * 32, personal=["email"])


def talk(name: str, **attributes: str) -> Decoded:
    return Decoded(records=tuple(run_of(user(f"Hello {name}"), says(f"Bye {name} " * 40), name=name, **attributes)))


@pytest.fixture
def api(server_url: str, ports: list[int]) -> Iterator[Settings]:
    async def fill(store: RedisStore) -> None:
        for number, person in enumerate(["ann", "ann", "bob"]):
            told = talk(f"{person}-{number}", **{"user.id": f"{person}@example.com", "session.id": f"s{number}"})
            cleaned, _ = REDACTOR.clean(told)
            await store.append("p", cleaned)
        await judged(store, EmbeddedGuard())

    play(server_url, fill)
    with serving(settings_for(server_url, ports), redactor=REDACTOR) as settings:
        yield settings


def forget(settings: Settings, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(command, [*arguments, "--url", settings.api_url, "--json"])
    return done.exit_code, json.loads(done.output)


def titles(settings: Settings) -> set[str]:
    return {item["title"] for item in httpx.get(f"{settings.api_url}/api/v1/trajectories").json()["items"]}


def test_a_person_is_forgotten_by_the_name_that_was_redacted(api: Settings) -> None:
    code, told = forget(api, "--subject", "ann@example.com", "--dry-run")
    assert (code, len(told["projects"]["p"]["runs"]), told["dry_run"]) == (0, 2, True)
    assert len(titles(api)) == 3
    code, told = forget(api, "--subject", "ann@example.com")
    assert (code, told["log_rewritten"]) == (0, True)
    assert titles(api) == {"Hello bob-2"}
    assert not [text for text in asyncio.run(everything(api.redis.url or "")) if "ann-" in text]
    assert forget(api, "--subject", "ann@example.com")[0] == 1
    entries = httpx.get(f"{api.api_url}/api/v1/audit").json()["items"]
    (entry,) = [each for each in entries if each["action"] == "forget"]
    assert entry["subject"].startswith("subject [personal:email:")
    assert (
        httpx.get(f"{api.api_url}/api/v1/accounting").json()["projects"]["p"]["deleted"]
        == told["projects"]["p"]["records"]
    )


def test_a_session_and_a_run_are_forgotten_by_their_ids(api: Settings) -> None:
    assert forget(api, "--session", "s1")[0] == 0
    assert titles(api) == {"Hello ann-0", "Hello bob-2"}
    (item,) = [i for i in httpx.get(f"{api.api_url}/api/v1/trajectories").json()["items"] if "bob" in i["title"]]
    assert forget(api, item["id"])[0] == 0
    assert titles(api) == {"Hello ann-0"}


def test_exactly_one_thing_is_to_be_named(api: Settings) -> None:
    answer = httpx.post(f"{api.api_url}/api/v1/forget", json={"run": "x", "session": "y"})
    assert answer.status_code == 400
    assert httpx.post(f"{api.api_url}/api/v1/forget", json={"run": "nowhere"}).status_code == 404


def test_forgetting_is_for_administrators(server_url: str, ports: list[int]) -> None:
    async def make(store: RedisStore) -> dict[str, str]:
        return {role: (await store.add_token(role, role))[1] for role in ("ingest", "read", "review", "admin")}

    tokens = play(server_url, make)
    with serving(settings_for(server_url, ports, auth={"mode": "on"})) as settings:
        codes = {
            role: httpx.post(
                f"{settings.api_url}/api/v1/forget", json={"session": "x"}, headers={"authorization": f"Bearer {text}"}
            ).status_code
            for role, text in tokens.items()
        }
    assert codes == {"ingest": 403, "read": 403, "review": 403, "admin": 200}


def retention(store: RedisStore, clock: HandClock, **settings: Any) -> Retention:
    return Retention(store, load_settings(**settings), owner="w", clock=clock)


def test_what_is_too_old_goes_and_a_run_is_as_old_as_its_newest_record(server_url: str) -> None:
    clock = HandClock()

    async def scenario(store: RedisStore) -> None:
        session = {"gen_ai.conversation.id": "s1"}
        await store.append("p", talk("old"))
        await store.append("p", talk("long, first part", **session))
        clock.later(days=20)
        await store.append("p", talk("long, second part", **session))
        await store.append("p", talk("new"))
        await judged(store, EmbeddedGuard())
        clock.later(days=11)
        keep = retention(store, clock, retention={"days": 30})
        await keep.look()
        listed = {item.title for item in (await store.list(Query())).items}
        assert len(listed) == 2
        assert "Hello old" not in listed
        assert not [text for text in await everything(server_url) if "Hello old" in text]
        await keep.look()
        assert len((await store.list(Query())).items) == 2
        clock.later(days=30)
        await keep.look()
        assert (await store.list(Query())).items == ()
        assert (await store.audit()) == {}
        counted = (await store.accounting())["p"]
        assert counted["deleted"] == counted["stored"] > 0

    play(server_url, scenario, clock=clock)


def test_only_one_worker_at_a_time_deletes(server_url: str) -> None:
    clock = HandClock()

    async def scenario(store: RedisStore) -> None:
        assert await store.hold("retention", "other", 60)
        await store.append("p", talk("old"))
        await judged(store, EmbeddedGuard())
        clock.later(days=1)
        settings = load_settings(retention={"days": 0.001})
        assert await Retention(store, settings, owner="w", clock=clock).look() == 0
        assert await Retention(store, settings, owner="other", clock=clock).look() == 1

    play(server_url, scenario, clock=clock)


def test_what_is_too_much_goes_oldest_first_but_nothing_that_is_fresh_or_waits(server_url: str) -> None:
    clock = HandClock()

    async def scenario(store: RedisStore) -> None:
        for number in range(12):
            await store.append("p", talk(f"run {number:02}", note=secrets.token_hex(40_000)))
            clock.later(days=0.1)
        await judged(store, EmbeddedGuard())
        used = int((await store.ping())["used_memory"])
        await retention(store, clock, retention={"bytes": used - 100_000}).look()
        left = sorted(item.title for item in (await store.list(Query())).items)
        assert 0 < len(left) < 12
        assert left == [f"Hello run {number:02}" for number in range(12 - len(left), 12)]
        await store.append("p", talk("waits"))
        clock.later(days=0.001)
        assert await retention(store, clock, retention={"bytes": 1}).look() == len(left)
        counted = (await store.accounting())["p"]
        assert counted["stored"] - counted["deleted"] == len(talk("waits").records)

    play(server_url, scenario, clock=clock)
