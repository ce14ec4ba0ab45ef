"""The approximate mode's plan: candidates always, of the rest what the budget allows, and where to look next."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from agentdog.attribution.plan import NAMED, SHARE, halves, plan

LENGTHS = st.lists(st.integers(0, 3000), min_size=1, max_size=70)


@given(LENGTHS, st.integers(0, 2000), st.randoms(use_true_random=False))
def test_candidates_are_read_and_the_rest_within_the_budget(
    lengths: list[int], target: int, drawn: random.Random
) -> None:
    guesses = [drawn.random() for _ in lengths]
    made = plan(lengths, target, guesses)
    assert made.kept == sorted(set(made.kept))
    assert {0, len(lengths) - 1} <= set(made.tried) <= set(made.kept)
    assert len(made.tried) <= NAMED + 2
    named = sorted(range(len(lengths)), key=lambda at: -guesses[at])[:NAMED]
    assert set(named) <= set(made.tried)
    rest = [at for at in made.kept if at not in made.tried]
    plain = sum((len(lengths) - at) * (length + 30) for at, length in enumerate(lengths))
    plain += (len(lengths) + 1) * (target + 30)
    assert sum(lengths[at] + 30 for at in rest) <= plain // SHARE
    assert plan(lengths, target, guesses, apart=True) == (made.tried, made.tried, 0)


def test_a_long_run_is_read_whole_and_of_a_short_one_the_likeliest_steps() -> None:
    guesses = [0.0] * 60
    assert plan([400] * 60, 150, guesses).kept == list(range(60))
    kept = plan([400] * 30, 150, [float(at > 20) for at in range(30)]).kept
    assert {27, 28} <= set(kept), "likelier than the rest, though no candidates"
    read = [at for at in kept if at <= 20]
    assert read == list(range(len(read)))
    assert 2 < len(read) < 20


def test_stretches_that_could_hide_a_leading_step_are_halved_the_strongest_first() -> None:
    known = {0: -90.0, 1: -70.0, 2: -65.0, 10: -30.0, 14: -26.0, 30: -10.0, 31: 0.0}
    assert halves(known, 10.0, 5) == [6, 22]
    assert halves(known, 10.0, 1) == [6]
    assert halves(known, 40.0, 5) == []
    assert halves({0: -5.0, 1: 0.0}, 0.0, 5) == []
