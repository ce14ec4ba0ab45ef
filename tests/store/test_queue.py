from __future__ import annotations

from typing import Any

from agentdog.store.redis_store import RedisStore
from tests.support.clocks import HandClock
from tests.support.records import batch, span
from tests.support.stores import store_at


async def claim_all(store: RedisStore, consumer: str = "a") -> list[Any]:
    found: list[Any] = []
    while work := await store.claim(consumer, count=8, block_ms=1):
        found += work
    return found


def test_a_changed_unit_is_handed_out_once(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        for number in range(3):
            await store.append("p", batch(span(0, number), span(1, number)))
        work = await claim_all(store)
        assert sorted(w.unit for w in work) == sorted({span(0, 0).unit, span(1, 0).unit})
        assert {w.deliveries for w in work} == {1}
        assert await claim_all(store) == []

    with_store(scenario)


def test_what_comes_after_the_claim_queues_the_unit_again(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(span(0, 0)))
        first = await claim_all(store)
        await store.append("p", batch(span(0, 0)))
        assert await claim_all(store) == []
        await store.append("p", batch(span(0, 1)))
        second = await claim_all(store)
        assert [w.unit for w in second] == [w.unit for w in first]
        await store.done(first + second)
        assert await store.depth() == 0

    with_store(scenario)


def test_work_of_a_worker_that_fell_silent_is_taken_over(with_store: Any, server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(span(0, 0)))
        (held,) = await claim_all(store, "dead")
        other = store_at(server_url, lease_s=0.001)
        taken = await other.claim("alive", count=8, block_ms=1)
        assert [(w.unit, w.token) for w in taken] == [(held.unit, held.token)]
        assert taken[0].deliveries == 2
        await other.done(taken)
        await other.close()
        assert await store.depth() == 0

    with_store(scenario)


def test_a_claim_that_is_extended_is_not_taken_over(with_store: Any, server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(span(0, 0)))
        held = await claim_all(store, "slow")
        await store.extend("slow", held)
        patient = store_at(server_url, lease_s=60)
        assert await claim_all(patient, "other") == []
        await patient.close()

    with_store(scenario)


def test_a_unit_that_always_fails_ends_with_the_dead_letters(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(span(0, 0)))
        seen = []
        while work := await claim_all(store):
            seen.append(work[0].deliveries)
            given_up = await store.fail(work[0], "boom", limit=3)
        assert seen == [1, 2, 3]
        assert given_up
        (letter,) = await store.dead_letters()
        assert (letter.project, letter.unit, letter.attempts, letter.error) == ("p", span(0, 0).unit, 3, "boom")
        assert await store.depth() == 0

    with_store(scenario)


def test_a_reminder_rings_once_and_a_later_one_replaces_it(with_store: Any) -> None:
    clock = HandClock()

    async def scenario(store: RedisStore) -> None:
        await store.revisit("p", "trace:1", clock.ns + 1_000_000_000)
        await store.revisit("p", "trace:1", clock.ns + 2_000_000_000)
        clock.later(1.5)
        assert await claim_all(store) == []
        clock.later(1)
        work = await claim_all(store)
        assert [w.unit for w in work] == ["trace:1"]
        assert await claim_all(store) == []

    with_store(scenario, clock=clock)


def test_a_server_that_was_emptied_gets_its_groups_back(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        assert await claim_all(store) == []
        await store._link.one("FLUSHALL")
        await store.append("p", batch(span(0, 0)))
        await store.claim("a", count=8, block_ms=1)
        assert [w.unit for w in await claim_all(store)] == [span(0, 0).unit]

    with_store(scenario)
