"""Deliveries over the API and on the command line, after one was given up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentdog.cli import cli
from agentdog.client import Client
from agentdog.outbound import Delivery
from agentdog.store.redis_store import RedisStore
from tests.support import records
from tests.support.hook_server import hook_server
from tests.support.live_api import serving_store
from tests.support.otlp_server import http_receiver
from tests.support.stores import play, running_server

WHEN = "2026-01-01T00:00:00.000000000Z"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    async def fill(store: RedisStore) -> None:
        for project in ("p", "q"):
            await store.save_trajectory(records.trajectory("t", project=project), [])
            for state in ("delivered", "given_up"):
                await store.save_delivery(
                    Delivery(
                        id=f"{project}-{state}",
                        key="k",
                        target="webhook",
                        project=project,
                        trajectory_id="t",
                        incident_id="i",
                        state=state,
                        attempts=20,
                        created=WHEN,
                        updated=WHEN,
                        error="HTTP 500" if state == "given_up" else None,
                        body=b"secret words",
                    )
                )

    with running_server() as server:
        play(server.url, fill)
        with serving_store(server.url) as url:
            yield url


def run(*arguments: str, **environment: Any) -> Result:
    return CliRunner().invoke(cli, ["outbound", *arguments], env=environment)


def test_what_was_given_up_is_listed_and_tried_again(base: str) -> None:
    client = Client(base)
    found = client.deliveries(project="p")
    assert {item["id"]: item.get("state") for item in found["items"]} == {
        "p-delivered": "delivered",
        "p-given_up": "given_up",
    }
    assert found["unsent"] == 1
    assert not any("body" in item for item in found["items"])
    assert len(client.deliveries(unsent=True)["items"]) == 2
    listed = run("list", "--url", base)
    assert listed.exit_code == 1
    assert "HTTP 500" in listed.output
    assert json.loads(run("list", "--project", "q", "--url", base, "--json").output)["unsent"] == 1
    assert run("retry", "p-given_up", "--url", base).output == "1 tried again.\n"
    (again,) = client.deliveries(project="p", unsent=True)["items"]
    assert "state" not in again, "it waits"
    assert run("retry", "no-such", "--url", base).exit_code == 1


def test_a_test_message_says_of_each_place_whether_it_arrives() -> None:
    with hook_server() as hook, hook_server([500]) as chat, http_receiver(without=["logs"]) as otlp:
        environment = {
            "AGENTDOG_OUTBOUND__WEBHOOK__URL": hook.url,
            "AGENTDOG_OUTBOUND__WEBHOOK__SECRET": SECRET,
            "AGENTDOG_OUTBOUND__SLACK__URL": chat.url,
            "AGENTDOG_OUTBOUND__OTLP__ENDPOINT": otlp.endpoint,
            "AGENTDOG_OUTBOUND__ALLOW": '["127.0.0.0/8"]',
        }
        done = run("test", "--json", **environment)
        assert done.exit_code == 1
        assert json.loads(done.output) == [
            {"target": "webhook", "ok": True},
            {"target": "slack", "ok": False, "detail": "HTTP 500 Internal Server Error"},
            {"target": "otlp", "ok": True, "detail": "the receiver takes no logs"},
        ]
        assert hook.bodies[0]["type"] == "test"
        assert len(otlp.spans) == 1
    refused = run("test")
    assert "nobody is told" in str(refused.exception)
