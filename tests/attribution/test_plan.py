"""The approximate mode's plan: candidates whole, of the rest what the budget allows, and where to look next."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from agentdog.attribution.plan import NAMED, SHARE, halves, leading, plan

LENGTHS = st.lists(st.lists(st.integers(1, 400), max_size=12), min_size=1, max_size=50)


def _read(length: float) -> float:
    return length * (1 + length / 24_000)


@given(LENGTHS, st.integers(0, 2000), st.randoms(use_true_random=False))
def test_candidates_are_read_whole_and_the_rest_within_the_budget(
    lengths: list[list[int]], target: int, drawn: random.Random
) -> None:
    guesses = [[drawn.choice([0.0, drawn.random()]) for _ in step] for step in lengths]
    made = plan(lengths, target, guesses)
    named = sorted(range(len(lengths)), key=lambda at: -sum(guesses[at]))[:NAMED]
    assert made.tried == sorted({0, len(lengths) - 1, *named})
    for at in made.tried:
        assert made.pieces[at] == set(range(len(lengths[at])))
    read = [sum(lengths[at][piece] for piece in chosen) for at, chosen in enumerate(made.pieces)]
    rest = sum(size + 30 for at, size in enumerate(read) if size and at not in made.tried)
    whole = [sum(step) + 30 for step in lengths]
    steps = sum(_read(depth + target + 30) for depth in (0, *itertools.accumulate(whole)))
    leading = sum((1 + whole[at] / 70) * 2 * _read(sum(whole) + target + 130) for at in named[:3])
    assert rest <= (steps + leading) / SHARE
    alone = plan(lengths, target, guesses, apart=True)
    assert alone.tried == made.tried
    assert alone.spare == 0
    assert not any(chosen for at, chosen in enumerate(alone.pieces) if at not in made.tried)


def _guessed(steps: int, of: dict[tuple[int, int], float]) -> list[list[float]]:
    return [[of.get((at, piece), 0.0) for piece in range(8)] for at in range(steps)]


def test_pieces_that_share_something_come_first_then_beginnings_up_to_the_last_candidate() -> None:
    named = {(at, 3): 30.0 for at in (4, 9, 12, 17)}
    shared = {(7, 7): 2.0, (25, 6): 1.0}
    made = plan([[70] * 8] * 29, 190, _guessed(29, named | shared))
    assert made.tried == [0, 4, 9, 12, 17, 28]
    assert 7 in made.pieces[7]
    assert made.pieces[25] >= {6}
    before = [made.pieces[at] - ({7} if at == 7 else set()) for at in range(17) if at not in made.tried]
    sizes = [len(chosen) for chosen in before]
    assert 0 < min(sizes) < 8
    assert max(sizes) - min(sizes) <= 1, "all are shortened alike"
    assert all(chosen == set(range(len(chosen))) for chosen in before), "from their beginnings"
    assert not any(made.pieces[at] for at in range(18, 25)), "what comes behind is read last"


def test_behind_the_last_candidate_steps_are_read_from_the_last_backwards() -> None:
    made = plan([[70] * 8] * 29, 190, _guessed(29, {(at, 0): 5.0 for at in range(4)}))
    read = [len(chosen) for chosen in made.pieces[4:28]]
    assert read == sorted(read)
    assert read[0] == 0
    assert read[-1] == 8


def test_a_long_run_is_read_whole_where_the_budget_allows_it() -> None:
    made = plan([[70] * 8] * 90, 190, _guessed(90, {}))
    assert sum(map(len, made.pieces)) == 8 * 90
    assert made.spare > 0


def test_of_a_step_two_pieces_are_scored_and_none_in_vain() -> None:
    assert leading([1.0, 3.0, 0.0, 2.0]) == [1, 3]
    assert leading([0.0, 0.5, 0.0]) == [1]
    assert leading([0.0, 0.0]) == [0]
    assert leading([]) == []


def test_stretches_that_could_hide_a_leading_step_are_halved_the_strongest_first() -> None:
    known = {0: -90.0, 1: -70.0, 2: -65.0, 10: -30.0, 14: -26.0, 30: -10.0, 31: 0.0}
    assert halves(known, 10.0, 5) == [6, 22]
    assert halves(known, 10.0, 1) == [6]
    assert halves(known, 40.0, 5) == []
    assert halves({0: -5.0, 1: 0.0}, 0.0, 5) == []
