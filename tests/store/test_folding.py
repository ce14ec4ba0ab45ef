"""A history that every span repeats lies in the journal once, and every record is read back as it came."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentdog.base.errors import OutsideError
from agentdog.spans.records import Log, Record, Span
from agentdog.store import keys
from agentdog.store.codec import pack
from agentdog.store.deltas import Base, fold, is_loose, refers_to, unfold
from agentdog.store.redis_store import RedisStore
from agentdog.store.shelf import Shelf, field_of
from tests.spans.compare import CAPTURES, load, scenarios
from tests.support.records import batch, span
from tests.support.stores import store_at

captures = st.sampled_from(scenarios(CAPTURES))


def history(length: int) -> Span:
    rng = random.Random(1)
    said = [{"role": "user", "content": rng.randbytes(200).hex()} for _ in range(length)]
    return span(0, length, **{"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(said)})


@given(st.binary(max_size=3000), st.binary(max_size=3000), st.binary(min_size=1, max_size=255))
def test_any_bytes_come_back_from_a_difference(raw: bytes, base: bytes, field: bytes) -> None:
    stored = fold(raw, Base(field=field, raw=base))
    assert refers_to(stored) == field
    assert unfold(stored, base) == raw
    assert not is_loose(stored)


def test_a_form_of_another_version_is_named() -> None:
    with pytest.raises(OutsideError, match="form b'Z'"):
        refers_to(b"Z...")


@settings(max_examples=25)
@given(captures, st.randoms(use_true_random=False), st.integers(1, 4))
def test_captures_folded_in_any_order_and_parts_are_read_back(name: str, rng: Any, parts: int) -> None:
    known = {record.id: record for record in load(CAPTURES / name)}
    units: dict[str, list[Record]] = {}
    for record in sorted(known.values(), key=lambda _: rng.random()):
        units.setdefault(record.unit, []).append(record)
    for records in units.values():
        shelf = Shelf()
        stored: dict[bytes, bytes] = {}
        for part in range(parts):
            fresh = {field_of(r): pack(r) for r in records[part::parts]}
            stored |= fresh
            shelf.put(fresh)
            folds = shelf.folds()
            shelf.settle(folds)
            stored |= {each.field: each.new for each in folds}
        cold = Shelf()
        cold.put(stored)
        assert sorted(cold.records.values(), key=lambda r: r.id) == sorted(records, key=lambda r: r.id)
        loose = [each.field for each in cold.loose()]
        assert sorted(loose) == sorted(each.field for each in shelf.loose())
        assert 1 <= len(loose) <= 8


@given(st.lists(st.binary(min_size=300, max_size=900), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_differences_refer_to_larger_records_whoever_folds(bodies: list[bytes], rng: Any) -> None:
    """Workers that fold from what they read at different times never make a circle."""
    spans = [span(0, number, said=body.hex()) for number, body in enumerate(bodies)]
    stored = {field_of(each): pack(each) for each in spans}
    workers = [Shelf() for _ in range(3)]
    for worker in workers:
        worker.put({field: stored[field] for field in rng.sample(list(stored), rng.randint(1, len(stored)))})
    for each in (written for worker in rng.sample(workers, 3) for written in worker.folds()):
        if is_loose(stored[each.field]):
            stored[each.field] = each.new
    cold = Shelf()
    cold.put(stored)
    assert sorted(cold.records.values(), key=lambda r: r.id) == sorted(spans, key=lambda r: r.id)


def test_a_repeated_history_is_stored_once(with_store: Any, server_url: str) -> None:
    spans = [history(length) for length in range(1, 41)]

    async def scenario(store: RedisStore) -> None:
        for each in spans:
            await store.append("p", batch(each))
            await store.gather("p", each.unit)
            await store.trim("p", each.unit)
        held = await store._link.one("HVALS", keys.records("p", spans[0].unit))
        assert sum(map(len, held)) < 1.5 * 40 * 400 < len(pack(spans[-1])) * 10
        counted = {"received": 40, "stored": 40, "duplicate": 0, "rejected": 0, "pending": 0}
        assert await store.accounting() == {"p": counted}
        assert await store.audit() == {"p": {"units": 1, "records": 40}}
        assert (await store.append("p", batch(*spans))).duplicate == 40
        other = store_at(server_url)
        for reader in (store, other):
            assert sorted(await reader.gather("p", spans[0].unit), key=lambda r: r.id) == spans
        assert sorted(await other.sample(1), key=lambda r: r.id) == spans
        await other.close()

    with_store(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_two_workers_that_fold_one_unit_do_no_harm(with_store: Any, server_url: str, seed: int) -> None:
    spans = [history(length) for length in range(1, 21)]
    rng = random.Random(seed)

    async def scenario(store: RedisStore) -> None:
        other = store_at(server_url)
        for each in rng.sample(spans, len(spans)):
            await store.append("p", batch(each))
            for worker in rng.sample([store, other], 2):
                if rng.random() < 0.7:
                    await worker.gather("p", each.unit)
            await asyncio.gather(*(worker.trim("p", each.unit) for worker in (store, other) if rng.random() < 0.8))
            for worker in (store, other):
                found = await worker.gather("p", each.unit)
                assert {r.id for r in found} <= {s.id for s in spans}
        cold = store_at(server_url)
        for reader in (store, other, cold):
            assert sorted(await reader.gather("p", spans[0].unit), key=lambda r: r.id) == spans
        await other.close()
        await cold.close()

    with_store(scenario)


def test_what_was_deleted_is_not_known_any_more(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(history(1), history(2)))
        assert len(await store.gather("p", history(1).unit)) == 2
        await store._link.one("DEL", keys.records("p", history(1).unit))
        await store.trim("p", history(1).unit)
        assert await store.gather("p", history(1).unit) == ()
        await store.append("p", batch(history(3)))
        assert await store.gather("p", history(1).unit) == (history(3),)

    with_store(scenario)


def test_records_of_a_unit_have_fields_of_their_own() -> None:
    log = Log(id="log:one:1", time_ns=1)
    odd = Span(trace_id="t", span_id="not-hex", name="x", start_ns=0, end_ns=0)
    assert len({field_of(r) for r in (log, odd, history(1), history(2))}) == 4
