from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentdog.base.errors import StoreUnavailable
from agentdog.spans.records import Decoded, Log
from agentdog.store.contract import Receipt
from agentdog.store.redis_store import RedisStore
from tests.support.records import batch, span
from tests.support.stores import play, store_at


def test_what_was_appended_is_gathered(with_store: Any) -> None:
    spans = [span(0, n, text="é" * 400, nested={"a": [1, 2.5, None, True]}) for n in range(3)]

    async def scenario(store: RedisStore) -> None:
        assert await store.append("p", batch(*spans)) == Receipt(stored=3, duplicate=0, rejected=0)
        gathered = await store.gather("p", spans[0].unit)
        assert sorted(gathered, key=lambda r: r.id) == spans
        assert await store.gather("other", spans[0].unit) == ()

    with_store(scenario)


def test_a_record_sent_twice_is_stored_once_even_within_one_request(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        first = await store.append("p", batch(span(0, 0), span(0, 0), span(1, 0), rejected=2))
        again = await store.append("p", batch(span(0, 0), span(0, 1)))
        assert first == Receipt(stored=2, duplicate=1, rejected=2)
        assert again == Receipt(stored=1, duplicate=1, rejected=0)
        assert await store.accounting() == {
            "p": {"received": 7, "stored": 3, "duplicate": 2, "rejected": 2, "pending": 0}
        }

    with_store(scenario)


def test_an_empty_request_changes_nothing(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        assert await store.append("p", batch()) == Receipt(stored=0, duplicate=0, rejected=0)
        assert await store.accounting() == {}

    with_store(scenario)


def _talk(trace: int, at: int, said: list[Any], answer: str) -> Any:
    history = [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in said]
    answered = [{"role": "assistant", "parts": [{"type": "text", "content": answer}]}]
    content = {"gen_ai.input.messages": json.dumps(history), "gen_ai.output.messages": json.dumps(answered)}
    return span(trace, at, **{"gen_ai.operation.name": "chat", **content})


def test_who_said_the_same_is_gathered_only_for_who_replays_it(with_store: Any) -> None:
    runs = [_talk(n, n, [("user", "Hello")], "Hi!") for n in range(20)]
    replay = _talk(20, 20, [("user", "Hello"), ("assistant", "Hi!"), ("user", "Bye")], "Bye!")

    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(*runs))
        for each in runs:
            assert await store.gather("p", each.unit) == (each,)
        await store.append("p", batch(replay))
        assert len(await store.gather("p", replay.unit)) == len(runs) + 1
        assert len(await store.gather("p", runs[-1].unit)) == len(runs) + 1

    with_store(scenario)


def test_units_that_share_a_session_are_gathered_together_however_indirectly(with_store: Any) -> None:
    chain = [
        span(0, 0, **{"gen_ai.conversation.id": "one", "gen_ai.operation.name": "chat"}),
        span(1, 1, **{"gen_ai.conversation.id": "one", "gen_ai.operation.name": "chat"}),
        span(2, 2, **{"gen_ai.conversation.id": "two", "gen_ai.operation.name": "chat"}),
    ]

    async def scenario(store: RedisStore) -> None:
        for each in chain:
            await store.append("p", batch(each))
            await store.gather("p", each.unit)  # as a worker does with every changed unit
        assert {r.id for r in await store.gather("p", chain[0].unit)} == {chain[0].id, chain[1].id}
        assert {r.id for r in await store.gather("p", chain[2].unit)} == {chain[2].id}

    with_store(scenario)


def test_a_large_unit_is_written_in_chunks(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        receipt = await store.append("p", batch(*(span(0, n) for n in range(1000))))
        assert receipt.stored == 1000
        assert len(await store.gather("p", span(0, 0).unit)) == 1000
        assert await store.audit() == {"p": {"units": 1, "records": 1000}}

    with_store(scenario)


_spans = st.builds(span, st.integers(0, 3), st.integers(0, 5))
_logs = st.builds(
    lambda n, t: Log(id=f"log:s:{n}", session="s", trace_id=f"{t:032x}" if t else None, time_ns=1),
    st.integers(0, 3),
    st.integers(0, 2),
)
_requests = st.lists(
    st.tuples(st.sampled_from(["p", "q"]), st.lists(st.one_of(_spans, _logs), max_size=8), st.integers(0, 2)),
    max_size=6,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=_requests)
def test_received_is_stored_plus_duplicate_plus_rejected(server_url: str, requests: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        seen: dict[str, set[tuple[str, str]]] = {}
        totals: dict[str, Counter[str]] = {}
        for project, records, refused in requests:
            faults = batch(rejected=refused).rejected
            await store.append(project, Decoded(records=tuple(records), rejected=faults))
            known, total = seen.setdefault(project, set()), totals.setdefault(project, Counter())
            fresh = {(r.unit, r.id) for r in records} - known
            known |= fresh
            total.update(
                received=len(records) + refused,
                stored=len(fresh),
                duplicate=len(records) - len(fresh),
                rejected=refused,
                pending=0,
            )
        counted = await store.accounting()
        assert {p: dict(t) for p, t in totals.items() if t["received"]} == dict(counted)
        audited = {p: sizes["records"] for p, sizes in (await store.audit()).items()}
        assert audited == {p: t["stored"] for p, t in totals.items() if t["stored"]}

    play(server_url, scenario)


def test_a_store_that_does_not_answer_is_unavailable() -> None:
    import asyncio

    async def run() -> None:
        store = store_at("unix:///nonexistent/store.sock")
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await store.append("p", batch(span(0, 0)))
        await store.close()

    asyncio.run(run())
