"""A trajectory is stored as what it adds to its records, and read back as it was."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentdog.spans import reconstruct, units_of
from agentdog.store import keys
from agentdog.store.codec import pack
from agentdog.store.redis_store import RedisStore
from agentdog.store.retold import Source, read, retell, sources_of
from agentdog.trajectory import Step, ToolCall, Trajectory
from tests.spans.compare import CAPTURES, load, scenarios
from tests.support.records import batch, span
from tests.support.stores import store_at

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def said(text: str, arguments: dict[str, Any]) -> Trajectory:
    call = ToolCall(id="c1", name="note", arguments=arguments)
    return Trajectory(
        id="t1",
        digest="d1",
        project="p",
        agents={},
        completion="final",
        missing=(),
        scopes=(),
        steps=(Step(id="s1", index=0, role="agent", thought=text, tool_calls=(call,), sources=("abc:1",)),),
    )


def source(number: int) -> Source:
    return Source("trace:abc", bytes([number]))


@settings(max_examples=200)
@given(st.text(), st.dictionaries(st.text(), values, max_size=3), st.lists(st.binary(max_size=400), max_size=6))
def test_any_trajectory_comes_back_whatever_the_records_say(
    text: str, arguments: dict[str, Any], raws: list[bytes]
) -> None:
    made = said(text, arguments)
    known = [(source(number), raw) for number, raw in enumerate(raws)]
    blob = retell(made, known)
    needed = dict(known)
    back = read(blob, [needed[each] for each in sources_of(blob)])
    assert msgspec.json.encode(back) == msgspec.json.encode(made)


@pytest.mark.parametrize("name", scenarios(CAPTURES)[::4])
def test_recorded_trajectories_come_back(name: str) -> None:
    records = load(CAPTURES / name)
    for made in reconstruct(records):
        raws = sorted({msgspec.json.encode(record) for record in records}, key=len, reverse=True)
        known = [(source(number), raw) for number, raw in enumerate(raws[:200])]
        blob = retell(made, known)
        needed = dict(known)
        assert read(blob, [needed[each] for each in sources_of(blob)]) == made


def test_text_of_any_script_is_found_behind_its_escapes() -> None:
    text = " ".join(f'第{number}步, 读「邮件」,\nthen "say" C:\\{number}' for number in range(300))
    inner = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": text}]}])
    raw = msgspec.json.encode(span(0, 1, **{"gen_ai.output.messages": inner}))
    blob = retell(said(text, {}), [(source(1), raw)])
    assert len(blob) < len(pack(said(text, {}))) / 4


def test_a_reader_finds_the_text_in_the_journal_and_nothing_when_that_is_gone(with_store: Any, server_url: str) -> None:
    words = [f"word{number} " * 40 for number in range(30)]
    spans = [
        span(
            0,
            number,
            **{
                "gen_ai.operation.name": "chat",
                "gen_ai.input.messages": json.dumps([{"role": "user", "content": w} for w in words[:number]]),
            },
        )
        for number in range(1, len(words) + 1)
    ]

    async def scenario(store: RedisStore) -> None:
        unit = spans[0].unit
        for each in spans:
            await store.append("p", batch(each))
            (made,) = store.memory.reconstruct(await store.gather("p", unit), project="p")
            assert units_of(made) == (unit,)
            await store.save_trajectory(made, [spans[0].trace_id], records=len(made.steps))
            await store.trim("p", unit)
        blob = await store._link.one("HGET", keys.trajectory("p", made.id), "blob")
        assert len(sources_of(blob)) == 1
        other = store_at(server_url)
        for reader in (store, other):
            found = await reader.get(spans[0].trace_id)
            assert found is not None
            assert found.trajectory == made
        later = span(0, 99, **{**spans[-1].attributes, "more": "x" * 300})
        await store.append("p", batch(later))
        await store.gather("p", unit)
        await store.trim("p", unit)  # what the trajectory refers to is itself a difference now
        found = await other.get(spans[0].trace_id)
        assert found is not None
        assert found.trajectory == made
        await store._link.one("DEL", keys.records("p", unit))
        assert await other.get(spans[0].trace_id) is None
        await other.close()

    with_store(scenario)
