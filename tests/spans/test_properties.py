"""A trajectory is a pure function of the set of its records."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agentdog.spans import content_stats, counterparts, ids, join_keys, reconstruct
from agentdog.spans.records import Record
from tests.spans.compare import CAPTURES, batches, load, scenarios

NAMES = scenarios(CAPTURES)
names = st.sampled_from(NAMES)


@cache
def records(name: str) -> tuple[Record, ...]:
    return tuple(load(CAPTURES / name))


def woven(known: list[Record]) -> list[bytes]:
    return sorted(msgspec.json.encode(t) for t in reconstruct(known))


@cache
def alone(name: str) -> tuple[bytes, ...]:
    return tuple(woven(list(records(name))))


@cache
def sessions(name: str) -> frozenset[str | None]:
    return frozenset(t.session_id for t in reconstruct(records(name))) - {None}


@settings(max_examples=40)
@given(names, st.integers(1, 3), st.randoms(use_true_random=False))
def test_order_split_and_repetition_change_nothing(name: str, times: int, random: object) -> None:
    known = list(records(name)) * times
    random.shuffle(known)  # type: ignore[attr-defined]
    assert tuple(woven(known)) == alone(name)


@settings(max_examples=60)
@given(names, names, st.randoms(use_true_random=False))
def test_two_captures_interleaved_stay_themselves(one: str, other: str, random: object) -> None:
    if one == other or sessions(one) & sessions(other):
        return  # one conversation, were they really one after the other
    known = [*records(one), *records(other)]
    random.shuffle(known)  # type: ignore[attr-defined]
    assert woven(known) == sorted((*alone(one), *alone(other)))


@settings(max_examples=40)
@given(st.lists(names, min_size=1, max_size=3, unique=True))
def test_units_that_share_keys_hold_whole_trajectories(chosen: list[str]) -> None:
    units: dict[str, list[Record]] = defaultdict(list)
    for name in chosen:
        for record in records(name):
            units[record.unit].append(record)
    keys = {unit: join_keys(known) for unit, known in units.items()}
    left, parts = set(units), []
    while left:
        reached, todo = set(), [left.pop()]
        while todo:
            unit = todo.pop()
            reached.add(unit)
            sought = {each for key in keys[unit] for each in counterparts(key)}
            near = {other for other in left if keys[other] & sought}
            left -= near
            todo.extend(near)
        parts.append(reached)
    gathered = [woven([r for unit in part for r in units[unit]]) for part in parts]
    assert sorted(t for part in gathered for t in part) == woven([r for known in units.values() for r in known])


@settings(max_examples=len(NAMES))
@given(names)
def test_what_was_shown_stays_unless_it_was_provisional(name: str) -> None:
    arrived: list[Record] = []
    views = []
    for batch in batches(CAPTURES / name):
        arrived.extend(batch)
        views.append([step for t in reconstruct(arrived) for step in t.steps])
    final = {step.id: place for place, step in enumerate(views[-1])}
    for view in views:
        places = [final.get(step.id) for step in view if not step.provisional]
        assert None not in places
        assert places == sorted(places, key=lambda place: place or 0)


ODD = r"""null 1 0.5 true "" "[]" "{}" "[[]]" "null" [1,null] {"a":[1]} "ChatMessage(" "{\"messages\":5}"
"[{\"role\":5}]" "[{\"parts\":[{\"type\":\"tool_call\"}]}]" "[{\"role\":\"user\",\"parts\":5}]"
"[{\"role\":\"assistant\",\"tool_calls\":[5,{\"function\":5}]}]"
"[{\"role\":\"user\",\"content\":[null,1,{\"type\":5}]}]"
"""
odd_values = st.sampled_from([json.loads(text) for text in ODD.split()])


@settings(max_examples=60)
@given(names, st.data())
def test_odd_attributes_break_nothing(name: str, data: st.DataObject) -> None:
    known: list[Record] = []
    for record in records(name):
        attributes = dict(record.attributes)
        for key in data.draw(st.sets(st.sampled_from(sorted(attributes)), max_size=3)) if attributes else ():
            attributes[key] = data.draw(odd_values)
        known.append(msgspec.structs.replace(record, attributes=attributes))
    for trajectory in reconstruct(known):
        assert trajectory.steps
        assert ids(trajectory)
    assert content_stats(known)
