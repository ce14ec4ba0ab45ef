"""One look at a trajectory: order, several at once, putting off, budgets, caps, labels, earlier verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from agentdog.diagnosis import Diagnosis, Look, MemoryCache, Policy, Terms, look, steps_to_judge
from agentdog.diagnosis.plan import RESERVE
from agentdog.guards import Outcome, Reason, Verdict
from agentdog.trajectory import Trajectory, prefix_keys
from tests.diagnosis.making import LABELS, Served, failed, of, turns, verdict
from tests.support.waiting import PATIENCE_S


def run(made: Trajectory, guard: Served, **terms: Any) -> Look:
    return asyncio.run(look(made, guard, Terms(**terms)))


def test_the_newest_prefix_is_asked_for_alone_and_then_the_others_together() -> None:
    guard = Served(of([], 0))
    done = run(turns(6), guard)
    assert guard.asked == [12, 11, 9, 7, 5, 3, 1]
    assert guard.most_in_flight == 6
    assert [step.index for step in done.diagnosis.steps] == [1, 3, 5, 7, 9, 11, 12]
    assert done.left == ()


def test_while_others_wait_only_the_newest_is_asked_for_and_the_rest_is_caught_up_one_by_one() -> None:
    async def busy() -> bool:
        return True

    async def scenario() -> list[tuple[int, ...]]:
        cache, guard, left = MemoryCache(), Served(of([], 0)), []
        while True:
            done = await look(turns(3), guard, Terms(cache=cache, others_wait=busy))
            left.append(done.left)
            assert done.yielded is bool(done.left)
            if not done.left:
                assert sorted(guard.asked) == [1, 3, 5, 6], "each once"
                return left

    assert asyncio.run(scenario()) == [(1, 3, 5), (1, 3), (1,), ()]


def test_what_others_ask_for_is_left_to_them_and_what_they_found_is_taken() -> None:
    class Others:
        async def take(self, guard: str, keys: Sequence[str]) -> Sequence[str]:
            await cache.put(guard, keys[0], verdict(0.9))
            return keys[2:]

        async def give_back(self, guard: str, keys: Sequence[str]) -> None:
            pass

    cache = MemoryCache()
    guard = Served(of([], 0))
    done = run(turns(4), guard, cache=cache, leases=Others())
    assert guard.asked == [3, 1]  # 8 and 7 were found by others; of the next batch 5 is theirs
    assert done.left == (5,) or 5 not in done.left
    assert {s.index for s in done.diagnosis.steps} | set(done.left) == {1, 3, 5, 7, 8}


def test_a_guard_that_hangs_is_not_made_to_hang_for_every_prefix() -> None:
    guard = Served(lambda at: failed(Reason.TIMED_OUT))
    done = run(turns(6), guard)
    assert guard.asked == [12]
    assert done.left == (1, 3, 5, 7, 9, 11)
    assert [s.verdict.reason for s in done.diagnosis.steps] == [Reason.TIMED_OUT]


def test_when_nobody_comes_back_the_rest_is_said_to_have_timed_out_too() -> None:
    guard = Served(lambda at: failed(Reason.TIMED_OUT))
    done = run(turns(6), guard, patient=False)
    assert guard.asked == [12]
    assert done.left == (), "nothing is put off for ever"
    assert {s.verdict.reason for s in done.diagnosis.steps} == {Reason.TIMED_OUT}
    assert len(done.diagnosis.steps) == 7


def test_a_share_of_the_unsafe_steps_is_labelled_and_the_onset_always() -> None:
    red = of(range(3, 200), 0.9)
    guard, again, none = Served(red), Served(red), Served(red)
    done = run(turns(60), guard, policy=Policy(share=0.25))
    assert 3 in guard.labelled
    assert 0.1 < len(guard.labelled) / len(done.diagnosis.steps) < 0.5
    run(turns(60), again, policy=Policy(share=0.25))
    assert sorted(again.labelled) == sorted(guard.labelled), "the same steps each time"
    run(turns(10), none, policy=Policy(share=0.0))
    assert none.labelled == [3]


def test_what_is_beyond_the_cap_says_so_and_the_newest_is_still_asked_for() -> None:
    guard = Served(of([], 0))
    done = run(turns(6), guard, policy=Policy(rejudge=1), asked=7 + RESERVE - 1)
    assert guard.asked == [12]
    reasons = {s.index: s.verdict.reason for s in done.diagnosis.steps}
    assert reasons == {12: None, **dict.fromkeys((1, 3, 5, 7, 9, 11), Reason.SUPERSEDED)}
    assert done.diagnosis.verdict is Outcome.NOT_EVALUATED
    spent = run(turns(6), guard, policy=Policy(rejudge=1), asked=7 + RESERVE)
    assert spent.asked == 0


def test_a_storm_of_late_spans_asks_again_for_what_changed_only_and_within_the_cap() -> None:
    """Each look asks for exactly the prefixes that read otherwise than any before, the newest first, until the cap."""
    planned, cap = 11, 3 * 11 + RESERVE

    async def scenario() -> Served:
        guard, cache, asked, previous = Served(of([], 0)), MemoryCache(), 0, None
        seen: set[str] = set()
        for number in range(20):  # each time another late span changes one step of ten
            made = turns(10, changed=number % 10, digest=f"d{number}")
            keys = prefix_keys(made)
            changed = [i for i in steps_to_judge(made) if keys[i] not in seen]
            terms = Terms(policy=Policy(rejudge=3), cache=cache, asked=asked, previous=previous)
            before = len(guard.asked)
            done = await look(made, guard, terms)
            given = guard.asked[before:]
            if asked + len(changed) <= cap - RESERVE:
                assert sorted(given) == changed
            assert set(given) <= set(changed)
            assert len(given) == done.asked
            refused = {s.index for s in done.diagnosis.steps if s.verdict.reason is Reason.SUPERSEDED}
            assert refused == set(changed) - set(given), "every other says that it was left out"
            seen |= {keys[i] for i in given}
            asked, previous = asked + done.asked, done.diagnosis
        return guard

    guard = asyncio.run(scenario())
    assert planned < len(guard.asked) <= cap


def test_a_budget_that_is_spent_is_said_and_what_it_allows_is_asked_for() -> None:
    class Two:
        spent = 0

        async def refusal(self) -> str | None:
            return "two were allowed" if self.spent >= 2 else None

        async def pay(self, verdict: Verdict) -> None:
            self.spent += 1

    guard = Served(of([], 0))
    done = run(turns(30), guard, purse=Two())
    reasons = [s.verdict.reason for s in done.diagnosis.steps]
    assert reasons.count(Reason.OVER_BUDGET) == 31 - len(guard.asked)
    assert len(guard.asked) <= 2 + 8, "what was under way when the budget ended"
    assert done.diagnosis.verdict is Outcome.NOT_EVALUATED


def test_of_a_run_that_the_sample_leaves_out_nobody_is_asked() -> None:
    guard = Served(of([], 0))
    done = run(turns(2), guard, sampled=False)
    assert guard.asked == []
    assert {s.verdict.reason for s in done.diagnosis.steps} == {Reason.NOT_SAMPLED}


@pytest.mark.parametrize(
    ("labels", "labelled"), [("unsafe_steps", [5, 6, 3]), ("onset", [3]), ("every_step", [6, 5, 3, 1])]
)
def test_labels_are_asked_for_where_the_setting_says(labels: Any, labelled: list[int]) -> None:
    guard = Served(of([3, 5, 6], 0.9))
    done = run(turns(3), guard, policy=Policy(labels=labels))
    assert sorted(guard.labelled) == sorted(labelled)
    assert sorted(guard.asked) == [1, 3, 5, 6]
    assert done.diagnosis.incidents[0].labels == LABELS


def test_what_the_projects_threshold_calls_unsafe_is_labelled_and_an_incident_too() -> None:
    guard = Served(of([3], 0.3))
    done = run(turns(2), guard, policy=Policy(alert_at=0.2))
    assert guard.labelled == [3]
    assert done.diagnosis.verdict is Outcome.UNSAFE
    assert [(i.onset, i.alert) for i in done.diagnosis.incidents] == [(3, True)]


def test_an_incident_below_the_projects_threshold_is_kept_and_alerts_nobody() -> None:
    done = run(turns(2), Served(of([3], 0.8)), policy=Policy(alert_at=0.9))
    assert [(i.onset, i.alert) for i in done.diagnosis.incidents] == [(3, False)]


def test_verdicts_of_prefixes_that_read_otherwise_now_stay_readable() -> None:
    async def scenario() -> Diagnosis:
        cache = MemoryCache()
        before = await look(turns(3, digest="old"), Served(of([3], 0.9)), Terms(cache=cache))
        late = turns(3, changed=1, digest="new")
        return (await look(late, Served(of([], 0)), Terms(cache=cache, previous=before.diagnosis))).diagnosis

    diagnosis = asyncio.run(scenario())
    assert [(e.index, e.digest, e.verdict.p_unsafe) for e in diagnosis.earlier] == [
        (3, "old", 0.9), (5, "old", 0.05), (6, "old", 0.05),
    ]  # fmt: skip
    assert [s.index for s in diagnosis.steps] == [1, 3, 5, 6]
    assert diagnosis.verdict is Outcome.SAFE


def test_a_run_that_only_grew_has_no_earlier_verdicts() -> None:
    async def scenario() -> Diagnosis:
        cache = MemoryCache()
        before = await look(turns(2), Served(of([], 0)), Terms(cache=cache))
        return (await look(turns(3), Served(of([], 0)), Terms(cache=cache, previous=before.diagnosis))).diagnosis

    assert asyncio.run(scenario()).earlier == ()


def test_a_last_result_waits_for_the_agents_next_step_while_the_run_is_not_quiet() -> None:
    guard = Served(of([], 0))
    done = run(turns(1, completion="open"), guard, quiet=False)
    assert guard.asked == [1]
    assert done.left == (2,)
    quiet = run(turns(1, completion="open"), guard, quiet=True)
    assert quiet.left == ()


def test_a_request_under_way_is_cancelled_when_the_trajectory_has_moved_on() -> None:
    class MovedOn(Exception):  # noqa: N818
        pass

    async def scenario() -> None:
        gate = asyncio.Event()
        guard = Served(of([], 0))

        async def told(diagnosis: Diagnosis) -> None:
            if guard.gate is not None:
                raise MovedOn
            guard.gate = gate

        task = asyncio.create_task(look(turns(4), guard, Terms(progress=told)))
        async with asyncio.timeout(PATIENCE_S):
            while guard.in_flight < 4:  # noqa: ASYNC110 - the guard counts
                await asyncio.sleep(0)
            session = guard.open  # one of the four answers, and the look learns that it came too late
            assert session is not None
            gate.set()
            with pytest.raises(MovedOn):
                await task
        assert guard.in_flight == 0

    asyncio.run(scenario())


def test_the_order_in_which_verdicts_came_leaves_no_trace() -> None:
    made = turns(8)
    served = run(made, Served(of([5, 7], 0.9))).diagnosis
    again = run(made, Served(of([5, 7], 0.9))).diagnosis
    assert _timeless(served) == _timeless(again)


def _timeless(diagnosis: Diagnosis) -> Diagnosis:
    """Without times, and without ids of incidents, which are those of the onsets that were told of first."""
    incidents = tuple(msgspec.structs.replace(each, id="") for each in diagnosis.incidents)
    return msgspec.structs.replace(diagnosis, judged_at="", incidents=incidents)
