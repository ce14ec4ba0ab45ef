"""`agentdog tune` and `agentdog calibrate` against a served API over a real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from agentdog.cli.calibrate import command as calibrate
from agentdog.cli.tune import command as tune
from agentdog.diagnosis import Terms, look
from agentdog.guards import GuardInfo
from agentdog.store.redis_store import RedisStore
from tests.diagnosis.making import Served, of, turns
from tests.support.live_api import IdleGuard, app_over, serving
from tests.support.stores import play, running_server, store_at

PEAKS = (0.2, 0.55, 0.7, 0.9)


class Same(IdleGuard):
    """Who judged what is stored."""

    @property
    def info(self) -> GuardInfo:
        return GuardInfo(name="served", uri="test", fingerprint="f", served=True)


async def fill(store: RedisStore, peaks: tuple[float, ...] = PEAKS) -> None:
    for number, peak in enumerate(peaks):
        made = msgspec.structs.replace(turns(3), id=f"t{number}")
        user = msgspec.structs.replace(
            made.steps[0], content=f"Task {number}.", start_time=f"2026-01-01T{number:02}:00:00.000000000Z"
        )
        made = msgspec.structs.replace(made, steps=(user, *made.steps[1:]))
        await store.save_trajectory(made, [])
        done = await look(made, Served(of([3, 5, 6], peak)), Terms())
        await store.save_diagnosis("p", done.diagnosis)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with running_server() as server:
        yield server.url


@pytest.fixture
def base(redis_url: str) -> Iterator[str]:
    play(redis_url, fill)
    with serving(app_over(store_at(redis_url), Same())) as url:
        yield url


def run(command: Any, base: str, *words: str) -> Result:
    return CliRunner().invoke(command, [*words, "--url", base])


def test_the_replay_is_shown_and_the_threshold_within_the_budget_is_set(base: str) -> None:
    shown = run(tune, base, "--project", "p", "--days", "1")
    assert shown.exit_code == 3, "the runs are older than a day"
    looked = run(tune, base, "--project", "p")
    assert looked.exit_code == 0
    assert "Nothing was changed." in looked.output
    answer = json.loads(run(tune, base, "--project", "p", "--max-alerts-per-day", "16", "--json").output)
    found = answer["replay"]
    assert [(c["threshold"], c["alerts"]) for c in found["candidates"]] == [
        (1.0, 0), (0.9, 1), (0.7, 2), (0.55, 3), (0.2, 4),
    ]  # fmt: skip
    assert [alarm["trajectory_id"] for c in found["candidates"] for alarm in c.get("more", [])] == [
        "t3", "t2", "t1", "t0",
    ]  # fmt: skip
    assert found["days"] == 0.125, "three hours"
    assert found["chosen"]["threshold"] == 0.7
    assert (answer["changed"], answer["state"]["alert_from"], answer["state"]["basis"]) == (True, 0.7, "tuned")
    assert answer["state"]["alerting"] == "observe", "a threshold alone tells nobody"


def test_alerting_is_a_choice_of_its_own_and_a_dry_run_changes_nothing(base: str) -> None:
    dry = json.loads(run(tune, base, "--project", "p", "--threshold", "0.6", "--dry-run", "--json").output)
    assert (dry["changed"], dry["state"]["basis"]) == (False, "uncalibrated")
    on = json.loads(run(tune, base, "--project", "p", "--alerting", "on", "--json").output)
    assert (on["state"]["alerting"], on["state"]["basis"]) == ("on", "uncalibrated")
    assert "nobody is told" not in run(tune, base, "--project", "p").output
    back = json.loads(run(tune, base, "--project", "p", "--threshold", "0.6", "--json").output)
    assert (back["state"]["alerting"], back["state"]["alert_from"]) == ("on", 0.6)
    reset = json.loads(run(tune, base, "--project", "p", "--reset", "--json").output)
    assert (reset["state"]["alerting"], reset["state"]["basis"]) == ("on", "uncalibrated")


def test_a_budget_that_nothing_keeps_to_is_a_finding_and_sets_nothing(redis_url: str, base: str) -> None:
    async def silent(store: RedisStore) -> None:
        made = msgspec.structs.replace(turns(3), id="bare")
        await store.save_trajectory(made, [])
        guard = Served(lambda at: msgspec.structs.replace(of([3], 0.9)(at), p_unsafe=None))
        await store.save_diagnosis("p", (await look(made, guard, Terms())).diagnosis)

    async def add() -> None:
        store = store_at(redis_url)
        await silent(store)
        await store.close()

    asyncio.run(add())
    told = run(tune, base, "--project", "p", "--max-alerts-per-day", "0", "--json")
    assert told.exit_code == 1
    assert json.loads(told.output)["changed"] is False
    assert "alert always" in run(tune, base, "--project", "p").output


def test_a_threshold_is_calibrated_on_benign_runs_and_is_the_default_from_then_on(base: str) -> None:
    few = run(calibrate, base, "--project", "p", "--benign", "all")
    assert "19 are needed" in str(few.exception)
    fitted = run(calibrate, base, "--project", "p", "--benign", "all", "--false-alarm", "0.4", "--json")
    [one] = json.loads(fitted.output)["items"]
    assert (one["threshold"], one["groups"]) == (0.7, 4)
    state = json.loads(run(tune, base, "--project", "p", "--json").output)["state"]
    assert (state["basis"], state["alerting"]) == ("calibrated", "observe")
    assert state["alert_from"] > 0.7
    assert "approved" in str(run(calibrate, base, "--project", "p", "--false-alarm", "0.4").exception)
    assert "4 stored runs" in run(calibrate, base).output


def test_two_choices_at_once_are_refused(base: str) -> None:
    assert "give one of them" in str(run(tune, base, "--project", "p", "--threshold", "0.5", "--reset").exception)
