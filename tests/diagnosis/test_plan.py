"""The plan: agent steps always, observations by policy, nothing forgotten, an end to putting off."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agentdog.diagnosis.plan import RESERVE, is_only_last, is_risky, plan, steps_to_judge
from agentdog.trajectory import Trajectory
from tests.diagnosis.making import turns

missing = st.sets(st.integers(0, 300)).map(sorted)


@given(missing, st.booleans(), st.booleans(), st.none() | st.integers(0, 400))
def test_what_is_missing_is_asked_now_or_put_off_or_refused(
    indices: list[int], served: bool, busy: bool, allowed: int | None
) -> None:
    found = plan(indices, served=served, busy=busy, allowed=allowed)
    assert sorted((*found.first, *found.then, *found.later, *found.refused)) == indices
    asked = len(found.first) + len(found.then) + len(found.later)
    assert allowed is None or asked <= allowed
    assert bool(found.first) == bool(indices and allowed != 0)


@given(missing)
def test_a_server_is_asked_for_the_newest_first_and_others_for_the_oldest(indices: list[int]) -> None:
    served, local = (plan(indices, served=each, busy=False) for each in (True, False))
    assert [*served.first, *served.then] == indices[::-1]
    assert [*local.first, *local.then] == indices


@given(missing, st.integers(1, 400))
def test_what_may_not_be_asked_any_more_are_the_oldest(indices: list[int], allowed: int) -> None:
    found = plan(indices, served=True, busy=False, allowed=allowed)
    kept = [*found.first, *found.then]
    assert all(refused < one for refused in found.refused for one in kept)
    assert len(kept) == min(len(indices), max(allowed - RESERVE, 1))


@given(missing)
def test_putting_off_comes_to_an_end_however_busy_it_is(indices: list[int]) -> None:
    rounds = 0
    while indices:
        found = plan(indices, served=True, busy=True)
        assert len(found.first) == 1
        assert not found.then
        indices = sorted(found.later)
        rounds += 1
    assert rounds <= 301


@given(st.integers(0, 12), st.sampled_from(["none", "risky", "all"]))
def test_agent_steps_and_the_last_one_are_planned_whatever_the_policy(number: int, observations: str) -> None:
    made = turns(number)
    planned = steps_to_judge(made, observations)  # type: ignore[arg-type]
    agents = {step.index for step in made.steps if step.role == "agent"}
    assert agents | {len(made.steps) - 1} <= set(planned)
    assert list(planned) == sorted(set(planned))


def test_of_tool_results_the_first_of_each_tool_and_those_of_risky_tools_are_planned() -> None:
    made = turns(6)  # read_email, send_email, read_email, …
    assert set(steps_to_judge(made, "risky")) - set(steps_to_judge(made, "none")) == {2, 4, 8}
    assert set(steps_to_judge(made, "all")) - set(steps_to_judge(made, "none")) == {2, 4, 6, 8, 10}
    assert is_risky("send_email")
    assert not is_risky("read_email")
    assert is_risky("anything", ("command",))


def test_a_result_that_says_nothing_is_no_first_contact() -> None:
    made = turns(2)
    silent = msgspec.structs.replace(made.steps[2], tool_result="  ")
    made = msgspec.structs.replace(made, steps=(*made.steps[:2], silent, *made.steps[3:]))
    assert 2 not in steps_to_judge(made, "risky")


def test_a_last_step_that_no_agent_took_is_planned_for_being_last_only_while_the_run_is_open() -> None:
    def only_last(made: Trajectory, observations: str) -> bool:
        return is_only_last(made, len(made.steps) - 1, observations)  # type: ignore[arg-type]

    assert only_last(turns(3, completion="open"), "risky")
    assert not only_last(turns(2, completion="open"), "risky")  # the answer of a risky tool
    assert not only_last(turns(3, completion="open"), "all")
    assert not only_last(turns(3), "risky")
