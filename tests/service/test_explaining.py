"""The written analysis on demand: asked through the API, written in a lane of its own, kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from agentdog.base.errors import GuardUnavailable
from agentdog.cli.explain import command as explain
from agentdog.client import Client, InvalidRequest
from agentdog.diagnosis import Terms, look
from agentdog.guards import Verdict
from agentdog.guards.cascade import Cascade, Stage
from agentdog.guards.protocol import Written
from agentdog.service.explaining import Explaining
from agentdog.service.settings import load_settings
from agentdog.service.worker import Worker
from agentdog.store.contract import Work
from agentdog.store.redis_store import RedisStore
from agentdog.trajectory import Header
from tests.diagnosis.making import Served, ServedSession, of, turns
from tests.support.live_api import app_over, serving
from tests.support.stores import play, store_at

WORK = Work(project="p", unit="t", token="0/0-0", lane="explain")


class _Session(ServedSession):
    async def analysis(self, verdict: Verdict) -> Written:
        guard = self._guard
        assert isinstance(guard, Writes)
        guard.wrote.append(self._seen - 1)
        if guard.trouble:
            raise GuardUnavailable(guard.trouble)
        return Written(f"It was {verdict.outcome} since step {self._seen} did it.", 900, 800, 40)


class Writes(Served):
    """A guard that writes analyses."""

    def __init__(self, trouble: str = "") -> None:
        super().__init__(of([3, 5, 6], 0.9))
        self.trouble = trouble
        self.wrote: list[int] = []

    def open(self, header: Header) -> ServedSession:
        return _Session(self, 0)


async def judged(store: RedisStore) -> None:
    made = turns(3)
    await store.save_trajectory(made, [])
    done = await look(made, Writes(), Terms())
    await store.save_verdicts("p", "f", {s.key: s.verdict for s in done.diagnosis.steps if s.key})
    await store.save_diagnosis("p", done.diagnosis)


@pytest.fixture
def client(server_url: str) -> Iterator[Client]:
    play(server_url, judged)
    with serving(app_over(store_at(server_url))) as base:
        yield Client(base)


def work(server_url: str, guard: Served) -> None:
    async def run() -> None:
        store = store_at(server_url)
        await Explaining(store, guard, load_settings())(WORK)
        await store.close()

    asyncio.run(run())


def test_an_analysis_is_asked_for_at_once_written_later_and_never_twice(server_url: str, client: Client) -> None:
    asked = client.ask_analysis("t")
    assert asked["index"] == 3, "where it goes wrong"
    assert "state" not in asked
    guard = Writes()
    work(server_url, guard)
    [found] = client.analyses("t")
    assert (found.get("state"), found.get("text")) == ("written", "It was unsafe since step 4 did it.")
    assert (found.get("prompt_tokens"), found.get("cached_tokens")) == (900, 800)
    assert client.ask_analysis("t", step=3) == found
    work(server_url, guard)
    assert guard.wrote == [3]
    assert client.ask_analysis("t", step=3, again=True).get("state") is None
    client.ask_analysis("t", step=5)
    work(server_url, guard)
    assert guard.wrote == [3, 3, 5]
    assert [each["index"] for each in client.analyses("t")] == [3, 5]


def test_what_cannot_be_written_says_why_and_may_be_asked_for_again(server_url: str, client: Client) -> None:
    client.ask_analysis("t")
    work(server_url, Served(of([], 0)))
    assert "writes no analyses" in client.analyses("t")[0].get("error", "")
    client.ask_analysis("t")
    work(server_url, Writes("the server is away"))
    assert client.analyses("t")[0].get("error") == "the server is away"
    client.ask_analysis("t")
    work(server_url, Writes())
    assert client.analyses("t")[0].get("state") == "written"


def test_a_step_without_a_verdict_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="step 1 of the run has no verdict"):
        client.ask_analysis("t", step=0)


def test_a_worker_writes_it_while_judging_hangs_and_the_command_shows_it(server_url: str, client: Client) -> None:
    hung = asyncio.Event()

    async def hangs(given: Work) -> None:
        await hung.wait()

    async def scenario() -> str:
        store, stop = store_at(server_url), asyncio.Event()
        await store.revisit("p", "t", 0, lane="judge")
        explaining = Explaining(store, Writes(), load_settings())
        worker = Worker(store, hangs, load_settings(), name="w", explain=explaining)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run(stop))
            words = ["t", "--url", client.base_url]
            shown = await asyncio.to_thread(CliRunner().invoke, explain, words)
            as_json = await asyncio.to_thread(CliRunner().invoke, explain, [*words, "--step", "4", "--json"])
            hung.set()
            stop.set()
        await store.close()
        assert (shown.exit_code, as_json.exit_code) == (0, 0), (shown.exception, as_json.output)
        assert json.loads(as_json.output)["state"] == "written"
        return shown.output

    assert "It was unsafe since step 4 did it." in asyncio.run(scenario())


def test_behind_a_guard_of_verdicts_the_last_stage_that_can_write_is_asked() -> None:
    async def run() -> tuple[str, list[int], list[int]]:
        first, second, third = Writes(), Writes(), Served(of([], 0))
        session = Cascade("cascade:a>b>c", [Stage(first), Stage(second), Stage(third)]).open(Header(agents={}))
        for step in turns(1).steps:
            session.extend(step)
        text = (await session.analysis(of([], 0)(0))).text
        return text, first.wrote, second.wrote

    text, first, second = asyncio.run(run())
    assert (first, second) == ([], [2])
    assert "step 3" in text
