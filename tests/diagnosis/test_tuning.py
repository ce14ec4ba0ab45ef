"""Replaying stored verdicts: what each threshold would have alerted, and the lowest that keeps to the budget."""

from __future__ import annotations

import asyncio

import pytest

from agentdog.base.errors import UsageError
from agentdog.diagnosis import Diagnosis, Policy, Terms, Tuning, calibrate, in_effect, look, replay
from agentdog.diagnosis.calibration import shipped
from agentdog.guards.embedded import EmbeddedGuard
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


def test_a_calibrated_threshold_lets_at_most_the_promised_share_of_benign_runs_alert() -> None:
    benign = {f"g{n}": [n / 100, 0.0] for n in range(40)}
    fitted = calibrate(benign, "f", false_alarm=0.05, source="test")
    assert (fitted.threshold, fitted.groups) == (0.38, 40)
    assert sum(max(scores) >= fitted.alert_from for scores in benign.values()) == 1
    with pytest.raises(UsageError, match="19 are needed"):
        calibrate({"g": [0.1]}, "f", false_alarm=0.05, source="test")


def test_what_people_decided_comes_before_what_was_calibrated_and_either_holds_for_its_guard_only() -> None:
    fitted = calibrate({f"g{n}": [0.5] for n in range(19)}, "f", source="test")
    assert in_effect("f", Tuning(alert_at=0.7, guard="f"), fitted) == ("tuned", 0.7)
    assert in_effect("f", Tuning(alert_at=0.7, guard="g"), fitted) == ("calibrated", fitted.alert_from)
    assert in_effect("g", None, fitted) == ("uncalibrated", None)


def test_a_calibrated_threshold_decides_about_alerts_and_makes_nothing_unsafe() -> None:
    policy = Policy(alert_from=0.4)
    calm = asyncio.run(look(turns(2), Served(of([3], 0.45)), Terms(policy=policy))).diagnosis
    assert calm.incidents == ()
    high = Policy(alert_from=0.8)
    quiet, loud = (
        asyncio.run(look(turns(2), Served(of([3], p)), Terms(policy=high))).diagnosis.incidents for p in (0.7, 0.9)
    )
    assert ([i.alert for i in quiet], [i.alert for i in loud]) == ([False], [True])


def test_the_embedded_guard_comes_with_a_calibrated_threshold() -> None:
    found = shipped(EmbeddedGuard().info.fingerprint)
    if found is None:
        pytest.skip("the embedded guard has changed and is uncalibrated: benchmarks/embedded_calibration.py --write")
    assert 0 < found.threshold < 1
    assert found.groups >= 19
    assert in_effect(found.guard, None, found) == ("calibrated", found.alert_from)
