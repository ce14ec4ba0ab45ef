from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentdog.base.errors import StoreUnavailable
from agentdog.service import worker
from agentdog.service.settings import Settings, load_settings
from agentdog.service.worker import Judge, Worker
from agentdog.spans import trajectory_id
from agentdog.spans.records import Span
from agentdog.store.contract import Query, Work
from agentdog.store.redis_store import RedisStore
from agentdog.trajectory import Trajectory
from tests.support.records import batch, span
from tests.support.stores import play
from tests.support.waiting import PATIENCE_S

MESSAGES = '[{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]'
ANSWER = '[{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop"}]'
CALL = '[{"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {}}]}]'


def chat(trace: int, number: int = 0, output: str = ANSWER, **more: str) -> Span:
    operation = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": MESSAGES, "gen_ai.output.messages": output}
    return span(trace, number, **operation, **more)


def tuned(**options: Any) -> Settings:
    return load_settings(worker=options)


async def agree(work: Work) -> None:
    """Judges nothing."""


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the condition lies in another process
            await asyncio.sleep(0.01)


async def with_worker(
    store: RedisStore, judge: Judge, condition: Callable[[], Awaitable[bool]], settings: Settings | None = None
) -> None:
    """Runs a worker until the condition holds."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(Worker(store, judge, settings or tuned(), name="w").run(stop))
        try:
            await until(condition)
        finally:
            stop.set()


def test_spans_become_a_trajectory_that_every_id_finds(server_url: str) -> None:
    judged: list[Trajectory] = []

    async def scenario(store: RedisStore) -> None:
        async def judge(work: Work) -> None:
            assignment = await store.assignment(work.project, work.unit)
            assert assignment is not None
            judged.append(assignment.trajectory)

        await store.append("p", batch(chat(0)))

        async def settled() -> bool:
            return bool(judged) and await store.depth() == 0

        await with_worker(store, judge, settled)
        found = await store.get(f"{1:032x}")
        assert found is not None
        assert [step.role for step in found.trajectory.steps] == ["user", "agent"]
        assert judged == [found.trajectory]

    play(server_url, scenario)


def test_two_traces_of_one_session_become_one_trajectory(server_url: str) -> None:
    session = {"gen_ai.conversation.id": "s1"}

    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(chat(0, 0, **session)))

        async def settled() -> bool:
            return await store.depth() == 0

        await with_worker(store, agree, settled)
        await store.append("p", batch(chat(1, 1, **session)))
        await with_worker(store, agree, settled)
        assert len((await store.list(Query())).items) == 1
        by_first, by_second = await store.get(f"{1:032x}"), await store.get(f"{2:032x}")
        assert by_first is not None
        assert by_first == by_second

    play(server_url, scenario)


def test_a_unit_that_fails_is_given_up_after_some_tries_and_the_others_go_on(server_url: str) -> None:
    tries: list[str] = []

    async def scenario(store: RedisStore) -> None:
        first = trajectory_id("p", chat(0).unit)

        async def judge(work: Work) -> None:
            tries.append(work.unit)
            if work.unit == first:
                raise ValueError("boom")

        await store.append("p", batch(chat(0), chat(1)))

        async def settled() -> bool:
            return await store.depth() == 0

        await with_worker(store, judge, settled, tuned(attempts=3))
        (letter,) = await store.dead_letters()
        assert (letter.unit, letter.attempts, letter.error) == (first, 3, "ValueError: boom")
        assert len(tries) == 4

    play(server_url, scenario)


def test_a_trajectory_without_a_last_word_is_over_when_it_falls_silent(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        seen: set[str] = set()
        recent = chat(0, output=CALL)
        await store.append("p", batch(recent))

        async def idle() -> bool:
            seen.update(s.completion for s in (await store.list(Query())).items)
            return "idle" in seen

        await with_worker(store, agree, idle, load_settings(idle_s=0.2))

    play(server_url, scenario)


def test_a_store_that_goes_away_for_a_moment_costs_no_work(server_url: str) -> None:
    class Shaky(RedisStore):
        failures = 3

        async def done(self, work: Any) -> None:
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable("gone")
            await super().done(work)

    async def scenario(store: RedisStore) -> None:
        shaky = Shaky(store._link, lease_s=60, verdict_ttl_s=60, feed_events=100)
        await store.append("p", batch(chat(0)))

        async def settled() -> bool:
            return await store.depth() == 0

        try:
            await with_worker(shaky, agree, settled)
        finally:
            await shaky.close()  # has a connection of its own, on which it waits for work
        assert shaky.failures == 0
        assert await store.dead_letters() == ()

    play(server_url, scenario)


def test_a_trajectory_that_grows_while_it_is_judged_is_judged_once_more(server_url: str) -> None:
    sizes: list[int] = []
    started, go_on = asyncio.Event(), asyncio.Event()

    async def scenario(store: RedisStore) -> None:
        async def judge(work: Work) -> None:
            assignment = await store.assignment(work.project, work.unit)
            assert assignment is not None
            sizes.append(len(assignment.trajectory.steps))
            started.set()
            await go_on.wait()

        await store.append("p", batch(chat(0, 0, CALL)))

        async def first() -> bool:
            return started.is_set()

        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(Worker(store, judge, tuned(), name="w").run(stop))
            await until(first)
            for number in range(1, 6):
                await store.append("p", batch(chat(0, number)))
                await asyncio.sleep(0)
            assert len(sizes) == 1
            go_on.set()

            async def settled() -> bool:
                return await store.depth() == 0

            await until(settled)
            stop.set()
        assert 2 <= len(sizes) < 6

    play(server_url, scenario)


def test_work_of_a_dead_worker_is_taken_over(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(chat(0)))
        claimed: list[Work] = []
        while not claimed:
            claimed += await store.claim("dead", count=8, block_ms=10)

        async def settled() -> bool:
            return await store.depth() == 0

        heir = RedisStore(store._link, lease_s=0.2, verdict_ttl_s=60, feed_events=100)
        await with_worker(heir, agree, settled)
        assert await store.get(f"{1:032x}") is not None
        await heir.close()

    play(server_url, scenario)


def test_two_workers_share_the_work_and_agree(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        traces = range(30)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for name in ("one", "two"):
                group.create_task(Worker(store, agree, tuned(), name=name).run(stop))
            for number in range(4):
                output = ANSWER if number == 3 else CALL
                await asyncio.gather(*(store.append("p", batch(chat(t, number, output))) for t in traces))

            async def settled() -> bool:
                return await store.depth() == 0

            await until(settled)
            stop.set()
        assert await store.dead_letters() == ()
        for trace in traces:
            found = await store.get(f"{trace + 1:032x}")
            assert found is not None
            told = {source for step in found.trajectory.steps for source in step.sources}
            assert {s.partition(":")[0] for s in told} == {f"{trace + 1:032x}"}
            assert len(told) == 4

    play(server_url, scenario)


def test_a_worker_that_is_told_to_stop_does_not_wait_for_a_guard_that_hangs(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_GRACE_S", 0.05)
    started = asyncio.Event()

    async def hang(work: Work) -> None:
        started.set()
        await asyncio.Event().wait()

    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(chat(0), chat(1)))
        stop = asyncio.Event()
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            group.create_task(Worker(store, hang, tuned(judging=1), name="w").run(stop))
            await started.wait()

            async def woven() -> bool:
                return await store.depth("weave") == 0

            await until(woven)  # nobody waits for the guard but who is to be judged
            stop.set()
        assert await store.depth("judge") == 2

    play(server_url, scenario)
