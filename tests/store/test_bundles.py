"""Records of one request lie together until they are folded, and each is read back as it came."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentdog.spans.otlp import PROTOBUF, opened, receive_traces
from agentdog.spans.otlp_encode import encode_traces
from agentdog.spans.records import Arrived, Received, Sealed, Span
from agentdog.store import keys
from agentdog.store.bundles import MOST, bundles, is_bundled, records_in
from agentdog.store.codec import encode, pack, unpack
from agentdog.store.redis_store import RedisStore
from agentdog.store.shelf import field_of
from tests.spans.compare import CAPTURES, load, scenarios
from tests.support.records import batch, span
from tests.support.stores import play, store_at


def sealed(spans: Iterable[Span]) -> Received:
    return receive_traces(encode_traces(list(spans)), PROTOBUF)


@settings(max_examples=25)
@given(st.sampled_from(scenarios(CAPTURES)))
def test_a_sealed_span_opens_as_what_it_is(name: str) -> None:
    spans = [record for record in load(CAPTURES / name) if isinstance(record, Span)]
    received = sealed(spans)
    assert not received.rejected
    assert all(isinstance(each, Sealed) for each in received.records)
    got = {each.id: opened(each) for each in received.records if isinstance(each, Sealed)}
    assert got == {each.id: each for each in spans}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=120), st.booleans())
def test_a_bundle_holds_each_record_once_and_in_order(numbers: list[int], protobuf: bool) -> None:
    spans = [span(0, number) for number in numbers]
    records: Iterable[Arrived] = sealed(spans).records if protobuf else spans
    made = bundles(records, field_of)
    assert sum(count for _, count, _ in made) == len(numbers)
    assert all(len(fields) <= MOST for fields, _, _ in made)
    read = [raw for fields, _, bundle in made for raw in records_in(b"P\0" + bundle)]
    assert read == [encode(span(0, number)) for number in dict.fromkeys(numbers)]


_requests = st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=50), min_size=1, max_size=6)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=_requests, seed=st.integers(0, 1 << 32))
def test_repeated_requests_are_stored_once_and_read_back_whoever_folds_when(
    server_url: str, requests: list[list[int]], seed: int
) -> None:
    unit, rng = span(0, 0).unit, random.Random(seed)

    async def scenario(store: RedisStore) -> None:
        workers = (store, store_at(server_url))
        known: dict[str, Span] = {}
        for numbers in requests:
            spans = [span(0, number, said=f"{number} " * (number * 3)) for number in numbers]
            fresh = {each.id: each for each in spans if each.id not in known}
            receipt = await store.append("p", sealed(spans) if rng.random() < 0.7 else batch(*spans))
            assert (receipt.stored, receipt.duplicate) == (len(fresh), len(spans) - len(fresh))
            known |= fresh
            for worker in rng.sample(workers, rng.randint(0, 2)):
                await worker.gather("p", unit)
            await asyncio.gather(*(worker.trim("p", unit) for worker in workers if rng.random() < 0.5))
        cold = store_at(server_url)
        for reader in (*workers, cold):
            found = {each.id: each for each in await reader.gather("p", unit)}
            assert found == known
        await asyncio.gather(*(each.close() for each in (workers[1], cold)))

    play(server_url, scenario)


def test_nothing_is_left_in_a_bundle_of_several_once_it_was_folded(with_store: Any) -> None:
    spans = [span(0, number, said="words " * number) for number in range(40)]

    async def scenario(store: RedisStore) -> None:
        name = keys.records("p", spans[0].unit)
        await store.append("p", sealed(spans))
        assert all(is_bundled(each) for each in await store._link.one("HVALS", name))
        await store.gather("p", spans[0].unit)
        await store.trim("p", spans[0].unit)
        assert not any(is_bundled(each) for each in await store._link.one("HVALS", name))
        assert await store.audit() == {"p": {"units": 1, "records": 40}}

    with_store(scenario)


def test_what_an_earlier_version_appended_is_read_and_folded_with_the_rest(with_store: Any, server_url: str) -> None:
    """Until this version each record lay by itself, as JSON or compressed."""
    spans = [span(0, number, said="words " * number * 9) for number in range(12)]

    async def scenario(store: RedisStore) -> None:
        name, unit = keys.records("p", spans[0].unit), spans[0].unit
        for number, each in enumerate(spans[::2]):
            await store._link.one("HSET", name, field_of(each), pack(each) if number % 2 else encode(each))
        receipt = await store.append("p", sealed(spans))
        assert (receipt.stored, receipt.duplicate) == (6, 6)
        for reader in (store, store_at(server_url)):
            assert sorted(await reader.gather("p", unit), key=lambda each: each.id) == spans
            await reader.trim("p", unit)
        cold = store_at(server_url)
        assert sorted(await cold.gather("p", unit), key=lambda each: each.id) == spans
        await asyncio.gather(reader.close(), cold.close())

    with_store(scenario)


def test_a_record_is_read_while_another_takes_its_bundle_apart(server_url: str, monkeypatch: Any) -> None:
    """A member is read, then the bundle is folded by somebody else, then its holder is read."""
    spans = [span(0, number, said=f"words {number} " * 40) for number in range(6)]
    unit = spans[0].unit

    async def scenario(store: RedisStore) -> None:
        await store.append("p", sealed(spans))
        folding = store_at(server_url)
        await folding.gather("p", unit)
        ask, asked = store._link.one, list[str]()

        async def meddled(*command: Any) -> Any:
            asked.append(command[0])
            if len(asked) == 2:
                await folding.trim("p", unit)
            return await ask(*command)

        monkeypatch.setattr(store._link, "one", meddled)
        raw = await store._journal.raw("p", unit, field_of(spans[3]))
        assert raw is not None
        assert unpack(raw, Span) == spans[3]
        assert asked[:2] == ["HGET", "HGET"], "the bundle was taken apart between the two"
        await folding.close()

    play(server_url, scenario)
