"""Replaying stored verdicts: what each threshold would have alerted, and the lowest that keeps to the budget."""

from __future__ import annotations

import asyncio

from agentdog.diagnosis import Diagnosis, Terms, Tuning, look, replay
from agentdog.trajectory import Trajectory
from tests.diagnosis.making import Served, of, turns


def judged(*peaks: float) -> list[tuple[Trajectory, Diagnosis]]:
    made = turns(3)
    return [(made, asyncio.run(look(made, Served(of([3, 5, 6], p)), Terms())).diagnosis) for p in peaks]


def test_the_lowest_threshold_that_keeps_to_the_budget_is_chosen_and_no_guard_is_asked() -> None:
    found = replay(judged(0.1, 0.3, 0.6, 0.9), "f", days=1, max_per_day=2)
    assert [(c.threshold, c.alerts) for c in found.candidates] == [(1.0, 0), (0.9, 1), (0.6, 2), (0.3, 3), (0.1, 4)]
    assert found.chosen is not None
    assert (found.chosen.threshold, found.chosen.per_day) == (0.6, 2)


def test_a_budget_of_nothing_chooses_what_nothing_reaches() -> None:
    found = replay(judged(0.6, 0.9), "f", days=1, max_per_day=0)
    assert found.chosen is not None
    assert found.chosen.threshold == 1.0


def test_verdicts_of_another_guard_are_left_out() -> None:
    assert replay(judged(0.9), "another", days=1, max_per_day=9).trajectories == 0
    assert Tuning(alert_at=0.7, guard="f").threshold_for("another") is None
    assert Tuning(alert_at=0.7, guard="f").threshold_for("f") == 0.7
