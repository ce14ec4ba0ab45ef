"""Judging through the real store: one alert per incident, dismissals, leases, a stalled guard, figures."""

from __future__ import annotations

import asyncio
from typing import Any

from agentdog.diagnosis import Tuning
from agentdog.guards import Reason
from agentdog.service.figures import Figures
from agentdog.service.judging import Judging
from agentdog.service.metrics import Metrics, StoreFigures, render
from agentdog.service.settings import Settings, load_settings
from agentdog.service.worker import Worker
from agentdog.store.contract import Work
from agentdog.store.redis_store import RedisStore
from tests.diagnosis.making import Served, failed, of, turns, verdict
from tests.service.test_judging import due
from tests.support.stores import play, store_at

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
            async with asyncio.timeout(10):
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

    play(server_url, scenario)


def test_a_timed_out_guard_is_asked_again_later(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(turns(6), [])
        guard = Served(lambda at: failed(Reason.TIMED_OUT))
        await judging(store, guard)(WORK)
        assert len(guard.asked) == 1
        assert await due(store)
        guard.answer = of([], 0)
        await judging(store, guard)(WORK)
        assert not await due(store)
        assert (await store.projects())["p"]["safe"] == 1

    play(server_url, scenario)


def test_a_budget_is_shared_by_all_workers_and_shown(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.spend("p", 0, 5)
        await store.save_trajectory(turns(2), [])

        class At:
            def now_ns(self) -> int:
                return 1_000_000_000

        guard = Served(of([], 0))
        judge = Judging(store, guard, settings(project_tokens_per_minute=5), progress_s=0, clock=At())
        await judge(WORK)
        assert guard.asked == []
        found = await store.get("t")
        assert found is not None
        assert found.diagnosis is not None
        assert {s.verdict.reason for s in found.diagnosis.steps} == {Reason.OVER_BUDGET}

    play(server_url, scenario)


def test_what_was_counted_is_read_as_metrics(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        figures = Figures(store)
        await store.save_trajectory(turns(3), [])
        await judging(store, Served(of([3], 0.9)), figures)(WORK)
        await figures.flush()
        await figures.flush()
        text = render(Metrics(), await StoreFigures.of(store, settings().judge, 0)).decode()
        for line in (
            'agentdog_verdicts_total{project="p",result="safe"} 3.0',
            'agentdog_verdicts_total{project="p",result="unsafe"} 1.0',
            'agentdog_labelled_verdicts_total{project="p"} 1.0',
            'agentdog_alerts_total{mode="observe",project="p"} 1.0',
            'agentdog_guard_seconds_bucket{le="+Inf"} 4.0',
            'agentdog_lane_units{lane="judge"} 1.0',
            "agentdog_queue_units 1.0",
        ):
            assert line in text, line

    play(server_url, scenario)
