"""Judging through the real store: one alert per incident, dismissals, leases, a stalled guard, figures."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from agentdog.diagnosis import Tuning
from agentdog.guards import Reason
from agentdog.service import budgets
from agentdog.service.figures import Figures
from agentdog.service.judging import Judging
from agentdog.service.metrics import Metrics, StoreFigures, render
from agentdog.service.settings import Settings, load_settings
from agentdog.service.worker import Worker
from agentdog.store.contract import Work
from agentdog.store.redis_store import RedisStore
from tests.diagnosis.making import Served, failed, of, turns, verdict
from tests.service.test_judging import due
from tests.support.clocks import HandClock
from tests.support.stores import play, store_at
from tests.support.waiting import PATIENCE_S

WORK = Work(project="p", unit="t", token="0/0-0", lane="judge")


def settings(**judge: Any) -> Settings:
    return load_settings(judge={"observations": "none", "rejudge": 0, **judge})


def judging(store: RedisStore, guard: Served, figures: Figures | None = None, **judge: Any) -> Judging:
    return Judging(store, guard, settings(**judge), figures=figures, progress_s=0)


async def alerts(store: RedisStore) -> list[str | None]:
    events = (await store.feed("0", limit=1000)).events
    return [event.incident_id for event in events if event.type == "alert.raised"]


def test_an_incident_alerts_once_though_its_onset_is_found_last_and_only_where_alerting_is_on(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        for mode, expected in (("observe", 0), ("on", 1)):
            await store._link.one("FLUSHALL")
            await store.save_tuning("p", Tuning(alerting=mode))  # type: ignore[arg-type]
            for number in (6, 8, 10):  # the run grows, red from step 4 on: the newest prefix is judged first
                await store.save_trajectory(turns(number, digest=f"d{number}"), [], records=number)
                await judging(store, Served(of(range(3, 99), 0.9)))(WORK)
            found = await store.get("t")
            assert found is not None
            assert found.diagnosis is not None
            assert [i.onset for i in found.diagnosis.incidents] == [3]
            assert len(await alerts(store)) == expected
            assert (await store.figures())["alerts", "p", mode] == 1

    play(server_url, scenario)


def test_a_dismissed_flag_and_a_real_one_later_alert_on_the_second_once(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.save_tuning("p", Tuning(alerting="on"))
        await store.save_trajectory(turns(10, digest="d1"), [], records=1)
        await judging(store, Served(of(range(3, 99), 0.7)))(WORK)
        [first] = await alerts(store)
        assert first is not None
        assert await store.review("p", "t", first, "dismissed")
        await store.save_trajectory(turns(150, digest="d2"), [], records=2)
        tail = Served(lambda at: verdict(0.7 if at >= 3 else 0.1))
        await judging(store, tail)(WORK)
        assert await alerts(store) == [first], "a red tail alerts no more"
        await store.save_trajectory(turns(160, digest="d3"), [], records=3)
        await judging(store, Served(lambda at: verdict(0.97 if at >= 303 else 0.7)))(WORK)
        await judging(store, tail)(WORK)
        assert len(await alerts(store)) == 2
        found = await store.get("t")
        assert found is not None
        assert found.diagnosis is not None
        assert [(i.onset, i.state) for i in found.diagnosis.incidents] == [(3, "dismissed"), (303, "open")]

    play(server_url, scenario)


def test_a_tuned_threshold_holds_for_the_guard_that_it_was_chosen_on(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(turns(4), [])
        for guard, expected in (("f", 0), ("another", 1)):
            await store.save_tuning("p", Tuning(alerting="on", alert_at=0.95, guard=guard))
            await judging(store, Served(of([3], 0.9)))(WORK)
            assert len(await alerts(store)) == expected

    play(server_url, scenario)


def test_two_workers_never_ask_a_guard_the_same_thing(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        other = store_at(server_url)
        try:
            await store.save_trajectory(turns(20), [])
            guard = Served(of([], 0), asyncio.Event())
            under_way = [asyncio.create_task(judging(each, guard)(WORK)) for each in (store, other)]
            async with asyncio.timeout(PATIENCE_S):
                while not guard.in_flight:  # noqa: ASYNC110 - the guard counts
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.2)
                assert guard.gate is not None
                guard.gate.set()
                await asyncio.gather(*under_way)
                while await due(store):  # what the other was asking for is taken from it
                    await judging(store, guard)(WORK)
        finally:
            await other.close()
        assert sorted(guard.asked) == sorted(set(guard.asked))
        found = await store.get("t")
        assert found is not None
        assert found.diagnosis is not None
        assert len(found.diagnosis.steps) == 21

    play(server_url, scenario)


def test_while_a_guard_hangs_weaving_goes_on_and_afterwards_the_backlog_is_caught_up(server_url: str) -> None:
    from tests.service.test_worker import chat, until
    from tests.support.records import batch

    async def scenario(store: RedisStore) -> None:
        guard = Served(of([], 0), asyncio.Event())
        figures = Figures(store)
        knobs = load_settings(worker={"judging": 2}, judge={"quiet_s": 0})
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            judge = Judging(store, guard, knobs, figures=figures, progress_s=0)
            group.create_task(Worker(store, judge, knobs, name="w").run(stop))
            for number in range(40):
                await store.append(f"p{number}", batch(chat(number)))  # of one project, equal texts are asked once

            async def woven() -> bool:
                return await store.depth("weave") == 0

            async def asked() -> bool:
                return guard.in_flight > 0

            await until(woven)
            await until(asked)
            assert guard.most_in_flight <= 2, "no more is taken in hand than may be judged at once"
            assert await store.depth("judge") == 40, "the rest waits in the store"
            assert guard.gate is not None
            guard.gate.set()

            async def judged() -> bool:
                return await store.depth() == 0

            await until(judged)
            stop.set()
        await figures.flush()
        counted = await store.figures()
        assert sum(value for key, value in counted.items() if key[0] == "verdicts" and key[2] == "safe") == 40
        assert [counts["safe"] for counts in (await store.projects()).values()] == [1] * 40
        for counts in (await store.accounting()).values():
            assert counts["pending"] == 0
            assert counts["received"] == counts["stored"] + counts["duplicate"] + counts["rejected"] > 0

    play(server_url, scenario)


def test_a_guard_that_hangs_for_too_long_is_left_alone_and_nothing_stays_pending(server_url: str) -> None:
    made = turns(6)

    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(made, [])
        guard = Served(lambda at: failed(Reason.TIMED_OUT))
        judge = Judging(store, guard, settings(), progress_s=0, clock=HandClock(10 * 3_600_000_000_000))
        await judge(WORK)
        assert len(guard.asked) == 1
        assert not await due(store)
        found = await store.get("t")
        assert found is not None
        assert found.summary.verdict == "not_evaluated"
        assert found.diagnosis is not None
        assert {s.verdict.reason for s in found.diagnosis.steps} == {Reason.TIMED_OUT}
        guard.answer = of([], 0)
        await judge(WORK)  # whatever has the run looked at again finds the rest
        assert (await store.projects())["p"]["safe"] == 1

    play(server_url, scenario)


def test_a_timed_out_guard_is_asked_again_later(server_url: str) -> None:
    soon = HandClock(1_000_000_000)  # a run without times ended at 0

    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(turns(6), [])
        guard = Served(lambda at: failed(Reason.TIMED_OUT))
        judge = Judging(store, guard, settings(), progress_s=0, clock=soon)
        await judge(WORK)
        assert len(guard.asked) == 1
        assert await due(store)
        guard.answer = of([], 0)
        await judge(WORK)
        assert not await due(store)
        assert (await store.projects())["p"]["safe"] == 1

    play(server_url, scenario)


def test_a_budget_is_shared_by_all_workers_and_shown(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.spend("p", 0, 5)
        await store.save_trajectory(turns(2), [])
        guard = Served(of([], 0))
        judge = Judging(
            store, guard, settings(project_tokens_per_minute=5), progress_s=0, clock=HandClock(1_000_000_000)
        )
        await judge(WORK)
        assert guard.asked == []
        found = await store.get("t")
        assert found is not None
        assert found.diagnosis is not None
        assert {s.verdict.reason for s in found.diagnosis.steps} == {Reason.OVER_BUDGET}

    play(server_url, scenario)


def test_what_was_counted_is_read_as_metrics(server_url: str) -> None:
    """Every family that operators are promised, with its labels."""

    async def scenario(store: RedisStore) -> None:
        figures = Figures(store)
        made = turns(3)
        ended = tuple(msgspec.structs.replace(s, end_time="2026-01-01T00:00:00.000000000Z") for s in made.steps)
        await store.save_trajectory(msgspec.structs.replace(made, steps=ended), [])
        paid = {"prompt_tokens": 100, "cached_tokens": 80, "completion_tokens": 1, "latency_ms": 3.0}
        guard = Served(
            lambda at: msgspec.structs.replace(of([3], 0.9)(at), **paid) if at < 6 else failed(Reason.TOO_LONG)
        )
        now_ns = time.time_ns()  # of judging and of reading, or what was spent may lie two minutes back
        priced = settings(price_prompt=1.0, price_completion=2.0)
        judge = Judging(store, guard, priced, figures=figures, progress_s=0, clock=HandClock(now_ns))
        await judge(msgspec.structs.replace(WORK, arrived_ns=1))
        await store.revisit("p", "t", 0, lane="judge")
        await figures.flush()
        await figures.flush()
        limits = settings(tokens_per_minute=500, sample={"p": 0.5}, price_prompt=1.0, price_completion=2.0).judge
        text = render(Metrics(), await StoreFigures.of(store, limits, now_ns + 60_000_000_000)).decode()
        for line in (
            'agentdog_verdicts_total{project="p",result="safe"} 2.0',
            'agentdog_verdicts_total{project="p",result="unsafe"} 1.0',
            'agentdog_verdicts_total{project="p",result="not_evaluated"} 1.0',
            'agentdog_not_evaluated_total{project="p",reason="too_long"} 1.0',
            'agentdog_labelled_verdicts_total{project="p"} 1.0',
            'agentdog_alerts_total{mode="observe",project="p"} 1.0',
            'agentdog_guard_seconds_bucket{le="+Inf"} 3.0',
            'agentdog_step_to_verdict_seconds_bucket{le="+Inf",since="span_end"} 3.0',
            'agentdog_step_to_verdict_seconds_bucket{le="+Inf",since="arrival"} 3.0',
            'agentdog_guard_tokens_total{kind="prompt",project="p"}',
            'agentdog_guard_tokens_total{kind="cached",project="p"}',
            'agentdog_guard_tokens_total{kind="completion",project="p"}',
            'agentdog_guard_cost_total{project="p"}',
            'agentdog_guard_tokens_last_minute{project="p"}',
            'agentdog_guard_tokens_per_minute_limit{of="all"} 500.0',
            'agentdog_lane_units{lane="judge"} 1.0',
            'agentdog_lane_later_units{lane="judge"} 1.0',
            'agentdog_oldest_pending_seconds{lane="judge"}',
            "agentdog_queue_units 1.0",
        ):
            assert line in text, line

    play(server_url, scenario)


def test_budgets_are_shown_by_project(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        figures = Figures(store)
        await store.save_trajectory(turns(3), [])
        guard = Served(lambda at: msgspec.structs.replace(of([3], 0.9)(at), prompt_tokens=50, cached_tokens=30))
        limits = settings(tokens_per_minute=500, project_tokens_per_minute=70, sample={"p": 1.0}, price_prompt=1e6)
        minute = time.time_ns()
        await Judging(store, guard, limits, figures=figures, progress_s=0, clock=HandClock(minute))(WORK)
        await figures.flush()
        found = await budgets.read(store, limits.judge, ["p", "q"], minute)
        [mine, other] = found.items
        assert (found.tokens_this_minute, found.tokens_per_minute) == (mine.tokens_this_minute, 500)
        assert mine.tokens_this_minute == 60, "the label's answer gave no tokens"
        assert (mine.tokens_per_minute, mine.sample, mine.verdicts, mine.labelled) == (70, 1.0, 4, 1)
        assert (mine.labelled_share, mine.cost) == (0.25, 60.0)
        assert (other.verdicts, other.labelled_share, other.cost) == (0, None, 0.0)
        later = await budgets.read(store, limits.judge, ["p"], minute + 60_000_000_000)
        assert (later.items[0].tokens_this_minute, later.items[0].tokens_last_minute) == (0, 60)

    play(server_url, scenario)
