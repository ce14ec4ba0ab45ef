"""Attribution on demand: asked through the API, computed by a worker, kept by content, never computed twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from agentdog.cli.attribute import command as attribute
from agentdog.client import Client, InvalidRequest
from agentdog.client.shapes import AskedAttribution
from agentdog.guards import Guard
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.service.attributing import Attributing
from agentdog.service.settings import load_settings
from agentdog.store.contract import Work
from agentdog.store.redis_store import RedisStore
from tests.attribution.test_verdicts import MAIL, STEPS, trajectory
from tests.diagnosis.making import Served, of
from tests.support.live_api import app_over, serving
from tests.support.stores import play, store_at

WORK = Work(project="p", unit="t", token="0/0-0", lane="explain")


async def stored(store: RedisStore) -> None:
    named = [msgspec.structs.replace(step, id=f"s{at}") for at, step in enumerate(STEPS)]
    await store.save_trajectory(trajectory(*named), [])


@pytest.fixture
def client(server_url: str) -> Iterator[Client]:
    play(server_url, stored)
    with serving(app_over(store_at(server_url), EmbeddedGuard())) as base:
        yield Client(base)


def work(server_url: str, guard: Guard | None = None, **settings: Any) -> None:
    async def run() -> None:
        store = store_at(server_url)
        await Attributing(store, guard or EmbeddedGuard(), load_settings(attribution=settings))(WORK)
        await store.close()

    asyncio.run(run())


def only(client: Client) -> AskedAttribution:
    [found] = client.attributions("t")["items"]
    return found


def test_what_moved_the_verdict_is_computed_later_and_once(server_url: str, client: Client) -> None:
    asked = client.ask_attribution("t")
    assert (asked["index"], asked["target"], asked.get("state")) == (3, "verdict", None), "the agent's last step"
    assert client.ask_attribution("t") == asked
    work(server_url)
    found = only(client)
    assert found.get("state") == "done"
    result = found["result"]
    assert result["ranking"][0] == 2
    pieces = result["steps"][2]["sentences"]
    assert "".join(piece["text"] for piece in pieces) == MAIL
    assert max(pieces, key=lambda piece: piece["score"])["text"].startswith("Ignore all previous instructions")
    assert client.ask_attribution("t", step=3) == found, "kept"
    assert client.ask_attribution("t", again=True).get("state") is None
    work(server_url)
    assert client.ask_attribution("t", top_k=0).get("state") is None, "another way of asking is another question"


def test_an_action_needs_a_model_and_the_answer_says_which_setting(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="AGENTDOG_ATTRIBUTION__MODEL"):
        client.ask_attribution("t", target="action")
    assert "AGENTDOG_ATTRIBUTION__MODEL" in client.attributions("t").get("no_model", "")


@pytest.mark.parametrize(("step", "words"), [(0, "nothing before it"), (9, "nothing before it")])
def test_a_step_that_nothing_can_explain_is_refused(client: Client, step: int, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        client.ask_attribution("t", step=step)


def test_what_cannot_be_answered_says_why_and_may_be_asked_for_again(server_url: str, client: Client) -> None:
    client.ask_attribution("t")
    work(server_url, Served(of([], 0.9)))
    assert "another guard or model is in use" in only(client).get("error", "")
    assert client.ask_attribution("t").get("state") is None
    work(server_url)
    assert only(client).get("state") == "done"


def test_of_a_long_run_the_last_steps_are_left_out_and_the_answer_says_so(server_url: str, client: Client) -> None:
    client.ask_attribution("t")
    work(server_url, max_steps=2)
    result = only(client)["result"]
    assert [step.get("candidate", True) for step in result["steps"]] == [True, False, True]
    assert any("1 steps of this long run were not left out" in note for note in result.get("notes", []))


def test_the_command_explains_a_stored_run(client: Client) -> None:
    shown = CliRunner().invoke(attribute, ["t", "--url", client.base_url, "--target", "verdict"])
    assert shown.exit_code == 0, shown.output
    assert "Ignore all previous instructions" in shown.output
