"""``GET /api/v1/remedies/ID`` over real HTTP, and the rule obeyed by ``POST /api/v1/check`` before any guard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentdog.client import Client, NotFound
from agentdog.guards import Outcome
from agentdog.service.inline import Checker, PolicyFile
from tests.service.api.test_check import Fixed, said
from tests.support import runs
from tests.support.live_api import app_over, fill, serving
from tests.support.stores import running_server, store_at


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    with running_server() as server:
        fill(server.url, *runs.everything())
        yield server.url


def test_the_rule_names_its_step_and_cost_and_is_obeyed_where_it_is_applied(store_url: str, tmp_path: Path) -> None:
    store, path = store_at(store_url), tmp_path / "policy.yaml"
    checker = Checker(store, Fixed(said(Outcome.SAFE)), PolicyFile(path))
    with serving(app_over(store, Fixed(None), checker=checker)) as base:
        client = Client(base)
        found = client.remedies("run-injected", last=20)
        (remedy,) = found["remedies"]
        assert found["last"] >= 1
        assert (remedy["step"], remedy["tool"]) == (5, "send_email")
        assert remedy["trial"]["runs"] == found["last"] + 1
        assert remedy["trial"]["good"] == 0
        assert remedy["trial"]["bad"] >= 1
        assert remedy["hook"]["snippet"]
        path.write_text("version: 1\nrules:\n" + remedy["policy"])
        checker._policy._looked = 0.0
        call = client.trajectory("run-injected")["trajectory"]["steps"][5]["tool_calls"][0]
        answer = client.check(
            call["name"], call["arguments"], trajectory_id="run-injected", deadline=20, on_not_evaluated="allow"
        )
        assert (answer["decision"], answer["by"], answer["rule"]) == ("deny", "policy", remedy["rule"]["id"])
        assert client.remedies("run-injected")["remedies"][0]["in_force"] == remedy["rule"]["id"]


def test_a_run_that_is_fine_needs_no_change_and_an_unknown_one_is_not_found(client: Client) -> None:
    assert client.remedies("run-benign")["remedies"] == []
    with pytest.raises(NotFound):
        client.remedies("no such run")
