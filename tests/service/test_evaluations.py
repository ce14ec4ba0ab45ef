"""Verdicts through the whole worker to real OTLP receivers, beside the spans that they are about."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import Any

import pytest

from agentdog.guards import Reason
from agentdog.service.figures import Figures
from agentdog.service.judging import Judging
from agentdog.service.sending import Sending
from agentdog.service.settings import Settings, load_settings
from agentdog.service.targets import open_targets
from agentdog.service.worker import Worker
from agentdog.spans.records import Span
from agentdog.store.contract import Query
from agentdog.store.redis_store import RedisStore
from tests.diagnosis.making import Served, failed, of
from tests.service.test_worker import MESSAGES, until
from tests.support.otlp_server import Got, grpc_receiver, http_receiver, values
from tests.support.records import batch
from tests.support.stores import play

TRACE = "0" * 31 + "1"
_CALLED = '{"type": "tool_call", "id": "c1", "name": "send_email", "arguments": {"to": "x"}}'
CALL = f'[{{"role": "assistant", "parts": [{_CALLED}]}}]'
DONE = f"""[{{"role": "user", "parts": [{{"type": "text", "content": "Hello"}}]}},
 {{"role": "assistant", "parts": [{_CALLED}]}},
 {{"role": "tool", "parts": [{{"type": "tool_call_response", "id": "c1", "response": "sent"}}]}}]"""
ANSWER = '[{"role": "assistant", "parts": [{"type": "text", "content": "Sent."}], "finish_reason": "stop"}]'


def _span(number: int, name: str, start: int, end: int, parent: int | None = None, **attributes: Any) -> Span:
    base = 1_790_000_000_000_000_000
    return Span(
        trace_id=TRACE,
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else None,
        name=name,
        start_ns=base + start * 10**9,
        end_ns=base + end * 10**9,
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
        scope="agent",
    )


def _chat(number: int, start: int, asked: str, answered: str) -> Span:
    told = {"gen_ai__input__messages": asked, "gen_ai__output__messages": answered}
    return _span(number, "chat m", start, start + 1, 1, gen_ai__operation__name="chat", **told)


#: An agent's run: a call, what the tool did, the answer, which tells all of it once more.
RUN = (
    _span(1, "invoke_agent a", 0, 9, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="a"),
    _chat(2, 1, MESSAGES, CALL),
    _span(
        3,
        "execute_tool send_email",
        3,
        4,
        1,
        gen_ai__operation__name="execute_tool",
        gen_ai__tool__name="send_email",
        gen_ai__tool__call__id="c1",
        gen_ai__tool__call__arguments='{"to": "x"}',
        gen_ai__tool__call__result="sent",
    ),
    _chat(4, 5, DONE, ANSWER),
)


def telling(got: Got, **otlp: Any) -> Settings:
    return load_settings(
        outbound={"otlp": {"endpoint": got.endpoint, **otlp}, "retry_s": 0.05, "link": "https://dog.example"},
        judge={"observations": "all", "quiet_s": 0},
        idle_s=0.1,
    )


async def run_until(store: RedisStore, settings: Settings, guard: Served, over: Any) -> None:
    async with open_targets(settings) as targets:
        figures, stop = Figures(store), asyncio.Event()
        judging = Judging(store, guard, settings, figures=figures, progress_s=0)
        send = Sending(store, targets, settings, figures=figures)
        async with asyncio.TaskGroup() as group:
            group.create_task(Worker(store, judging, settings, name="w", send=send).run(stop))
            try:
                await until(over)
                await until(lambda: _settled(store))
            finally:
                stop.set()
        await figures.flush()


async def _settled(store: RedisStore) -> bool:
    return await store.depth() == 0


@pytest.mark.parametrize(("receiver", "protocol"), [(http_receiver, "http/protobuf"), (grpc_receiver, "grpc")])
def test_a_verdict_arrives_in_a_receiver_as_a_child_of_the_judged_span(
    server_url: str, receiver: Any, protocol: str
) -> None:
    made: AbstractContextManager[Got] = receiver()
    with made as got:
        settings = telling(got, protocol=protocol, headers="x-api-key=s3%20cret")

        async def scenario(store: RedisStore) -> None:
            await store.append("p", batch(*RUN))

            async def over() -> bool:
                return len(got.logs) >= 3

            await run_until(store, settings, Served(of([1], 0.93)), over)
            assert (await store.figures())["evaluations_sent", "p"] == len(got.logs) == len(got.spans)
            assert not await store.deliveries(["p"], 10), "what goes well is no news"

        play(server_url, scenario)
        parents = {values(s.attributes)["agentdog.step.number"]: s.parent_span_id.hex() for s in got.spans}
        assert parents == {2: f"{2:016x}", 3: f"{3:016x}", 4: f"{4:016x}"}, "the call, the tool's run, the answer"
        assert {s.trace_id.hex() for s in got.spans} == {TRACE}
        assert all(s.name == "gen_ai.evaluation.result" for s in got.spans)
        events = {values(r.attributes)["agentdog.step.number"]: r for r in got.logs}
        assert {n: (r.trace_id.hex(), r.span_id.hex()) for n, r in events.items()} == {
            n: (TRACE, parent) for n, parent in parents.items()
        }
        said = values(events[2].attributes)
        assert events[2].event_name == "gen_ai.evaluation.result"
        assert said["gen_ai.evaluation.name"] == "agentdog.trajectory_safety"
        assert said["gen_ai.evaluation.score.value"] == pytest.approx(0.93)
        assert said["gen_ai.evaluation.score.label"] == "unsafe"
        assert said["gen_ai.evaluation.explanation"].startswith("At step 2 a called send_email")
        assert said["agentdog.url"].startswith("https://dog.example/trajectory?id=")
        assert values(events[4].attributes)["gen_ai.evaluation.score.label"] == "safe"
        assert got.headers[0]["x-api-key"] == "s3 cret"
        assert got.scopes == {"agentdog.outbound"}
        assert all(r["agentdog.emitted"] is True and r["service.name"] == "agentdog" for r in got.resources)


def test_a_receiver_that_fails_gets_every_verdict_once_it_is_back_and_no_verdict_twice(server_url: str) -> None:
    with http_receiver([503, 500, 429], without=["logs"]) as got:
        settings = telling(got)

        async def scenario(store: RedisStore) -> None:
            await store.append("p", batch(*RUN[:2]))

            async def over() -> bool:
                return len(got.spans) >= 1

            guard = Served(of([1], 0.93))
            await run_until(store, settings, guard, over)
            (delivery,) = await store.deliveries(["p"], 10)
            assert (delivery.state, delivery.attempts, delivery.target) == ("delivered", 4, "otlp")
            await store.append("p", batch(*RUN[2:]))

            async def all_over() -> bool:
                return len(got.spans) >= 3

            await run_until(store, settings, guard, all_over)

        play(server_url, scenario)
        assert got.logs == []
        assert len({s.span_id for s in got.spans}) == len(got.spans) == 3


def test_what_nobody_judged_is_an_error_and_never_a_score(server_url: str) -> None:
    with http_receiver() as got:

        async def scenario(store: RedisStore) -> None:
            await store.append("p", batch(*RUN))

            async def over() -> bool:
                return len(got.logs) >= 3

            await run_until(store, telling(got), Served(lambda at: failed(Reason.UNPARSABLE)), over)
            (run,) = (await store.list(Query(project="p"))).items
            assert run.verdict == "not_evaluated"

        play(server_url, scenario)
        for record in got.logs:
            said = values(record.attributes)
            assert said["error.type"] == "unparsable"
            assert not [key for key in said if key.startswith("gen_ai.evaluation.score")]


def test_only_unsafe_verdicts_where_that_is_asked_for(server_url: str) -> None:
    with http_receiver() as got:

        async def scenario(store: RedisStore) -> None:
            await store.append("p", batch(*RUN))

            async def over() -> bool:
                return bool(got.logs)

            await run_until(store, telling(got, verdicts="unsafe", signals="logs"), Served(of([1], 0.93)), over)

        play(server_url, scenario)
        assert len(got.logs) == 1
        assert got.spans == []
