"""Where a model stands in its texts: what is read on from a kept cache is what reading the whole gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from agentdog.guards.engines.places import Place, Places, common, copied


class Layer:
    """Remembers the tokens that it was given; `state` is written to in place, as recurrent states are."""

    def __init__(self) -> None:
        self.keys: tuple[int, ...] = ()
        self.states: dict[int, State] = {0: State()}


class State:
    def __init__(self, total: int = 0) -> None:
        self.total = total

    def clone(self) -> State:
        return State(self.total)


class Cache:
    """The part of a transformers cache that places use."""

    def __init__(self, *, croppable: bool, sliding: bool = False) -> None:
        self.layers = [Layer()]
        self.is_croppable = croppable
        self.is_sliding = [sliding]

    def crop(self, fewer: int) -> None:
        assert self.is_croppable
        assert not any(self.is_sliding)
        assert fewer < 0
        for layer in self.layers:
            for token in layer.keys[fewer:]:
                layer.states[0].total -= token
            layer.keys = layer.keys[:fewer]


class Reader:
    """Reads as a model does: the logits follow from every token that the cache holds."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, tokens: Sequence[int], cache: Any) -> tuple[tuple[int, ...], int]:
        assert tokens
        self.count += len(tokens)
        [layer] = cache.layers
        layer.keys = (*layer.keys, *tokens)
        layer.states[0].total += sum(tokens)
        return layer.keys, layer.states[0].total


def whole(prompt: Sequence[int]) -> tuple[tuple[int, ...], int]:
    return tuple(prompt), sum(prompt)


KINDS = [(True, False), (False, False), (True, True)]


@pytest.mark.parametrize(("croppable", "sliding"), KINDS)
def test_any_sequence_of_prompts_reads_as_if_each_were_read_whole(croppable: bool, sliding: bool) -> None:
    for seed in range(60):
        rng, read = random.Random(seed), Reader()
        places = Places(lambda: Cache(croppable=croppable, sliding=sliding), rng.randrange(1, 4))
        texts: list[list[int]] = [[rng.randrange(9) for _ in range(5)] for _ in range(3)]
        for _ in range(25):
            text = rng.choice(texts)
            text += [rng.randrange(9) for _ in range(rng.randrange(40))]
            tail = [10, *(rng.randrange(9) for _ in range(rng.randrange(30)))]
            prompt = [*text, *tail][: rng.choice([None, None, rng.randrange(1, len(text) + 2)])]
            logits, known = places.read(prompt, read)
            assert logits == whole(prompt)
            assert 0 <= known < len(prompt)


@pytest.mark.parametrize(("croppable", "most"), [(True, 1.4), (False, 2.4)])
def test_a_growing_text_costs_what_is_new(croppable: bool, most: float) -> None:
    """Its tail is read every time; where the cache cannot be cut back, what is new is read twice."""
    read, places = Reader(), Places(lambda: Cache(croppable=croppable), 2)
    text, tail = list(range(400)), [7] * 20
    for step in range(30):
        text += [step] * 50
        places.read([*text, *tail], read)
        places.read([*text, *tail, 1, 2, 3], read)  # the labels, behind the verdict
    assert read.count < most * (len(text) + 30 * 23)


def test_another_text_takes_a_place_of_its_own_and_the_longest_unused_goes() -> None:
    read, places = Reader(), Places(lambda: Cache(croppable=True), 2)
    head = [5] * 300
    first, second, third = ([*head, *[n] * 4000] for n in (1, 2, 3))
    for prompt in (first, second, first, third):
        places.read(prompt, read)
    assert places.read([*first, 9], read)[1] == len(first), "used since, so it stayed"
    assert places.read([*second, 9], read)[1] < len(head) + 1


def test_a_reading_that_broke_off_leaves_nothing_behind() -> None:
    place = Place(Cache(croppable=True), whole=False)
    place.read([1, 2, 3], Reader())

    def breaks(tokens: Sequence[int], cache: Any) -> None:
        cache.layers[0].keys = (*cache.layers[0].keys, 99)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.read([1, 2, 3, 4], breaks)
    assert place.read([1, 2, 3, 4], Reader()) == (whole([1, 2, 3, 4]), 0)


def test_a_model_that_cannot_read_on_reads_the_whole() -> None:
    read, place = Reader(), Place(Cache(croppable=True), whole=True)
    for prompt in ([1, 2, 3], [1, 2, 4, 5], [1, 2, 4, 6]):
        assert place.read(prompt, read)[0] == whole(prompt)
    assert read.count == 11


def test_what_two_begin_with_is_counted() -> None:
    rng = random.Random(0)
    for _ in range(200):
        first = [rng.randrange(2) for _ in range(rng.randrange(12))]
        second = [rng.randrange(2) for _ in range(rng.randrange(12))]
        expected = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
        assert common(first, second) == (min(len(first), len(second)) if expected is None else expected)


def test_a_copy_shares_no_state() -> None:
    cache = Cache(croppable=False)
    other = copied(cache)
    Reader()([1, 2], other)
    assert (cache.layers[0].keys, cache.layers[0].states[0].total) == ((), 0)
