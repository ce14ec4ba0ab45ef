"""Models over HTTP: kept, told of, decided about; and what each detector looked at."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from agentdog.client import Client, InvalidRequest
from agentdog.guards.embedded import EmbeddedGuard
from tests.service.test_learning import model
from tests.support.live_api import app_over, serving
from tests.support.stores import running_server, store_at


@pytest.fixture(scope="module")
def learner() -> Iterator[Client]:
    with running_server() as server, serving(app_over(store_at(server.url), EmbeddedGuard())) as base:
        yield Client(base)


def test_a_model_is_kept_decides_and_is_switched_off(learner: Client) -> None:
    assert learner.learned("nothing")["state"] == "off"
    kept = learner.keep_learned(msgspec.to_builtins(model()))
    assert (kept["state"], [v["version"] for v in kept["versions"]]) == ("off", [model().version])
    assert learner.decide_learned("sluices", model().version)["state"] == "active"
    assert learner.learned("sluices")["version"] == model().version
    assert learner.decide_learned("sluices", None)["state"] == "off"


def test_what_is_no_model_or_not_better_is_refused(learner: Client) -> None:
    with pytest.raises(InvalidRequest, match="threshold"):
        learner.keep_learned({**msgspec.to_builtins(model()), "threshold": "high"})
    with pytest.raises(InvalidRequest, match="not better"):
        learner.keep_learned(msgspec.to_builtins(model(better=False)), activate=True)


def test_a_quiet_detector_tells_what_it_looked_at(client: Client) -> None:
    run = client.trajectories(verdict="unsafe")["items"][0]
    steps = client.trajectory(run["id"])["trajectory"]["steps"]
    agent = next(s["index"] for s in steps if s["role"] == "agent")
    looks = client.looks(run["id"], agent)["items"]
    assert len(looks) >= 14
    assert all(look["looked_at"] and look["explanation"] for look in looks)
    assert any(look["weight"] == 0 for look in looks)
    user = next(s["index"] for s in steps if s["role"] == "user")
    with pytest.raises(InvalidRequest, match="no step of the agent"):
        client.looks(run["id"], user)
