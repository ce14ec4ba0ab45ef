"""What is read and woven with a memory is what the pure functions give, at every moment of any arrival."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentdog.spans import join_keys, reconstruct
from agentdog.spans.memory import Memory
from agentdog.spans.records import Record
from agentdog.spans.weave import Loom
from tests.spans.compare import CAPTURES, SHARED, load, scenarios
from tests.spans.make import chat, message, result, tool

NAMES = scenarios(CAPTURES)
names = st.sampled_from(NAMES)


@cache
def records(root: Path, name: str) -> tuple[Record, ...]:
    return tuple(load(root / name))


def pure(known: Sequence[Record]) -> list[bytes]:
    return [msgspec.json.encode(t) for t in reconstruct(known)]


def remembered(memory: Memory, known: Sequence[Record]) -> list[bytes]:
    return [msgspec.json.encode(t) for t in memory.reconstruct(known)]


def agree(memory: Memory, arrived: list[Record]) -> None:
    unit = arrived[-1].unit
    own = [record for record in arrived if record.unit == unit]
    assert memory.join_keys(own) == join_keys(own)
    assert remembered(memory, arrived) == pure(arrived)


@settings(max_examples=15)
@given(st.lists(names, min_size=1, max_size=2, unique=True), st.randoms(use_true_random=False), st.integers(0, 30))
def test_every_prefix_of_any_arrival_is_woven_as_from_nothing(
    chosen: list[str], rng: random.Random, disorder: int
) -> None:
    known = [record for name in chosen for record in records(CAPTURES, name)]
    order = sorted(range(len(known)), key=lambda n: n + rng.randrange(disorder + 1))
    memory, arrived = Memory(), list[Record]()
    for place in order:
        arrived.append(known[place])
        agree(memory, arrived)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings of all frameworks are not here")
def test_arrivals_of_every_framework_are_woven_as_from_nothing() -> None:
    rng = random.Random(3)
    for name in rng.sample(scenarios(SHARED), 25):
        known = list(records(SHARED, name))
        memory, arrived = Memory(), list[Record]()
        for record in sorted(known, key=lambda _: rng.random()) if rng.random() < 0.5 else known:
            arrived.append(record)
            if rng.random() < 0.4 or len(arrived) == len(known):
                agree(memory, arrived)


def run(length: int) -> list[Record]:
    """A run in which every request repeats all before it, with the tools' runs beside."""
    said = [message("user", "Begin.")]
    out: list[Record] = []
    for n in range(length):
        call = message("assistant", calls=((f"call{n}", "look", {"at": n % 3}),))
        out.append(chat(2 * n, list(said), [call]))
        out.append(tool(2 * n + 1, "look", f"call{n}", {"at": n % 3}, f"seen {n}"))
        said += [call, result(f"call{n}", f"seen {n}")]
    return out


@settings(max_examples=15)
@given(st.integers(1, 24), st.randoms(use_true_random=False), st.integers(0, 12))
def test_a_long_run_is_woven_as_from_nothing(length: int, rng: random.Random, disorder: int) -> None:
    known = run(length)
    memory, arrived = Memory(), list[Record]()
    for place in sorted(range(len(known)), key=lambda n: n + rng.randrange(disorder + 1)):
        arrived.append(known[place])
        agree(memory, arrived)


def test_a_request_is_woven_once(monkeypatch: pytest.MonkeyPatch) -> None:
    woven = 0
    request = Loom.request

    def counted(self: Loom, heard: object) -> None:
        nonlocal woven
        woven += 1
        request(self, heard)  # type: ignore[arg-type]

    monkeypatch.setattr(Loom, "request", counted)
    memory, arrived = Memory(), list[Record]()
    for record in run(50):
        arrived.append(record)
        memory.reconstruct(arrived)
    assert woven == 50


def test_what_is_remembered_is_bounded() -> None:
    known = run(12)
    memory = Memory(limit=1)
    assert remembered(memory, known) == pure(known)
    assert not memory._by_unit
    roomy = Memory()
    roomy.reconstruct(known)
    assert {unit for _, unit in roomy._by_unit} == {known[0].unit}


def test_what_is_forgotten_is_not_remembered() -> None:
    known, memory = run(12), Memory()
    memory.reconstruct(known)
    memory.forget("default", "trace:another")
    assert memory._by_unit
    memory.forget("default", known[0].unit)
    assert not memory._by_unit
    assert memory._total == 0
    assert remembered(memory, known) == pure(known)


def test_equal_is_not_the_same_where_true_is_one() -> None:
    for value in (True, 1, 1.0):
        call = message("assistant", calls=(("c", "look", {"at": value}),))
        spans = [chat(0, [message("user", "Begin.")], [call]), chat(1, [message("user", "Begin."), call], [])]
        memory = Memory()
        memory.reconstruct(
            [chat(1, [message("user", "Begin."), message("assistant", calls=(("c", "look", {"at": 1}),))], [])]
        )
        assert remembered(memory, spans) == pure(spans)
