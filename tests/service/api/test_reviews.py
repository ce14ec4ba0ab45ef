"""Reviews over real HTTP and a real store: what people say is kept, shown everywhere, and survives judging anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from agentdog.base.clock import parse_rfc3339
from agentdog.client import Client, InvalidRequest, NotFound
from agentdog.diagnosis import Diagnosis
from agentdog.guards import Evidence, Outcome
from agentdog.service.reviewing import Reviewing, Said
from agentdog.store.redis_store import RedisStore
from agentdog.trajectory.formats import sniff
from tests.support import runs
from tests.support.live_api import fill, serving_store
from tests.support.stores import play, running_server, store_at

INJECTED = runs.injected()
HARM = "financial_and_economic_harm"


@pytest.fixture
def place() -> Iterator[tuple[Client, str]]:
    with running_server() as server:
        fill(server.url, *runs.everything())
        with serving_store(server.url) as base:
            yield Client(base), server.url


def judged(diagnosis: Diagnosis | None) -> Diagnosis:
    assert diagnosis is not None
    return diagnosis


def save(url: str, diagnosis: Diagnosis, project: str) -> None:
    async def go() -> None:
        store = store_at(url)
        try:
            assert await store.save_diagnosis(project, diagnosis)
        finally:
            await store.close()

    asyncio.run(go())


def other_guard() -> Diagnosis:
    """The same run judged by a guard that sees nothing at all."""
    before = judged(INJECTED.diagnosis)
    steps = tuple(
        msgspec.structs.replace(
            s, verdict=msgspec.structs.replace(s.verdict, outcome=Outcome.SAFE, guard="g2", p_unsafe=0.1, evidence=())
        )
        for s in before.steps
    )
    return msgspec.structs.replace(before, verdict=Outcome.SAFE, steps=steps, incidents=(), p_unsafe=0.1)


def events_since(client: Client, cursor: str) -> list[str]:
    return [e["type"] for e in client.events(cursor)["events"]]


def test_a_dismissed_run_is_unsafe_no_more_and_reopening_undoes_it(place: tuple[Client, str]) -> None:
    client, _ = place
    cursor = client.events()["cursor"]
    outcome = client.review("run-injected", "dismiss", author="ann", note="a drill")
    assert outcome["stored"]["summary"]["verdict"] == "safe"
    assert outcome["stored"]["summary"]["reviewed"] == "dismissed"
    assert "run-injected" not in {r["id"] for r in client.trajectories(verdict="unsafe")["items"]}
    assert [r["id"] for r in client.trajectories(reviewed="yes")["items"]] == ["run-injected"]
    assert "run-injected" not in {r["id"] for r in client.trajectories(reviewed="no")["items"]}
    assert "review.updated" in events_since(client, cursor)
    again = client.review("run-injected", "reopen", author="bob")
    assert again["review"]["version"] == 2
    assert again["stored"]["summary"]["verdict"] == "unsafe"
    assert [r["action"] for r in client.reviews("run-injected")["reviews"]] == ["dismiss", "reopen"]


def test_a_correction_shows_everywhere(place: tuple[Client, str]) -> None:
    client, _ = place
    client.review("run-injected", "correct", author="ann", step=3, labels={"real_world_harm": HARM, "failure_mode": ""})
    stored = client.trajectory("run-injected")
    (incident,) = stored["diagnosis"]["incidents"]
    assert (incident["onset"], incident["onset_step_id"]) == (3, INJECTED.trajectory.steps[3].id)
    assert incident["state"] == "confirmed"
    assert incident["labels"].get("failure_mode") is None
    assert incident["labels"]["risk_source"] == runs.LABELS.risk_source
    assert [r["id"] for r in client.trajectories(real_world_harm=HARM)["items"] if r["id"] == "run-injected"]


def test_reviews_survive_judging_anew_by_another_guard(place: tuple[Client, str]) -> None:
    client, url = place
    client.review("run-injected", "correct", author="ann", step=3, labels={"real_world_harm": HARM})
    save(url, other_guard(), INJECTED.trajectory.project)
    stored = client.trajectory("run-injected")
    (incident,) = stored["diagnosis"]["incidents"]
    assert (incident["onset"], incident["labels"]["real_world_harm"]) == (3, HARM)
    assert stored["summary"]["verdict"] == "unsafe"
    assert stored["diagnosis"]["steps"][5]["verdict"]["outcome"] == "safe"  # the guard's own word stays its own


def test_a_dismissal_survives_and_is_not_announced_again(place: tuple[Client, str]) -> None:
    client, url = place
    client.review("run-injected", "dismiss", author="ann")
    cursor = client.events()["cursor"]
    before = judged(INJECTED.diagnosis)
    evidence = (Evidence(detector="other", message="Also this.", step=5, weight=0.5),)
    (incident,) = before.incidents
    renamed = msgspec.structs.replace(incident, id="by-another-guard", evidence=evidence)
    save(url, msgspec.structs.replace(before, incidents=(renamed,)), INJECTED.trajectory.project)
    assert client.trajectory("run-injected")["summary"]["verdict"] == "safe"
    assert "incident.opened" not in events_since(client, cursor)


def test_an_unflagged_run_is_marked_bad_at_a_step(place: tuple[Client, str]) -> None:
    client, _ = place
    outcome = client.review(
        "run-benign", "mark", author="ann", step=1, labels={"real_world_harm": HARM}, note="reads too much"
    )
    (incident,) = outcome["stored"]["diagnosis"]["incidents"]
    assert (incident["onset"], incident["state"]) == (1, "confirmed")
    assert "reads too much" in incident["summary"]
    summary = client.trajectory("run-benign")["summary"]
    assert (summary["verdict"], summary["reviewed"], summary["real_world_harm"]) == ("unsafe", "marked", HARM)
    client.review("run-benign", "unmark", author="ann", step=1)
    assert client.trajectory("run-benign")["summary"]["verdict"] == "safe"


def test_a_run_that_nobody_judged_can_be_marked_too(place: tuple[Client, str]) -> None:
    client, _ = place
    stored = client.review("run-running", "mark", author="ann", step=0)["stored"]
    assert stored["summary"]["verdict"] == "unsafe"
    assert stored["diagnosis"]["guard"]["name"] == "review"


@pytest.mark.parametrize(
    ("action", "fields", "said"),
    [
        ("confirm", {"incident_id": "nope"}, "is none of"),
        ("correct", {}, "correct what"),
        ("correct", {"step": 99}, "has 8 steps"),
        ("correct", {"labels": {"failure_mode": "oops"}}, "labels.failure_mode: 'oops' is unknown"),
        ("dismiss", {"step": 1}, "go with correct and mark"),
        ("mark", {}, "which step"),
        ("confirm", {"suppress": {}}, "dismissal"),
        ("dismiss", {"suppress": {"days": 0}}, "days"),
        ("dismiss", {"suppress": {"like": {"agent": "x"}}}, "dismisses too much"),
        ("shout", {}, "action"),
    ],
)
def test_what_does_not_fit_the_run_is_refused(api_url: str, action: Any, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said.replace("(", "\\(")):
        Client(api_url).review("run-injected", action, author="ann", **fields)
    with pytest.raises(NotFound):
        Client(api_url).review("nowhere", "approve", author="ann")
    assert Client(api_url).reviews("run-injected")["reviews"] == []  # what is refused leaves nothing behind


def test_an_incident_is_needed_to_dismiss_one(api_url: str) -> None:
    with pytest.raises(InvalidRequest, match="mark a step instead"):
        Client(api_url).review("run-benign", "dismiss", author="ann")


def alike(name: str, minute: int) -> runs.Sample:
    """Another run with the same kind of incident."""
    trajectory = msgspec.structs.replace(INJECTED.trajectory, id=name, session_id=name, digest=name)
    before = judged(INJECTED.diagnosis)
    (incident,) = before.incidents
    renamed = msgspec.structs.replace(incident, id=f"incident-{name}")
    return runs.Sample(
        trajectory=trajectory,
        diagnosis=msgspec.structs.replace(before, trajectory_id=name, digest=name, incidents=(renamed,)),
    )


def test_all_like_this_is_visible_counted_and_expires(place: tuple[Client, str]) -> None:
    client, url = place
    fill(url, alike("before", 1))
    suppress = {"reason": "our own drill", "days": 2}
    made = client.review("run-injected", "dismiss", author="ann", suppress=suppress)["suppression"]
    assert made["like"]["tool"] == "send_email"
    assert made["count"] == 1  # what was open already; the reviewed one itself is the person's
    assert client.trajectory("before")["summary"]["verdict"] == "safe"
    cursor = client.events()["cursor"]
    fill(url, alike("after", 2))
    stored = client.trajectory("after")
    assert stored["summary"]["verdict"] == "safe"
    assert stored["reviews"][0]["rule"] == made["id"]
    assert "incident.opened" not in events_since(client, cursor)
    (rule,) = client.suppressions()["suppressions"]
    assert (rule["count"], rule["reason"]) == (2, "our own drill")
    assert parse_rfc3339(rule["expires"]) - parse_rfc3339(rule["created"]) == 2 * 86_400 * 10**9

    async def expire() -> None:
        store = store_at(url)
        (known,) = await store.suppressions()
        await store.save_suppression(msgspec.structs.replace(known, expires=known.created))
        await store.close()

    asyncio.run(expire())
    fill(url, alike("later", 3))
    assert client.trajectory("later")["summary"]["verdict"] == "unsafe"
    assert "incident.opened" in events_since(client, cursor)
    assert client.suppressions()["suppressions"][0]["count"] == 2
    assert client.trajectory("after")["summary"]["verdict"] == "safe"  # decided while the rule held
    assert client.review("after", "reopen", author="bob")["stored"]["summary"]["verdict"] == "unsafe"


def test_a_revoked_rule_dismisses_nothing_more(place: tuple[Client, str]) -> None:
    client, url = place
    rule = client.suppress(INJECTED.trajectory.project, {"tool": "send_email"}, author="ann", reason="r", days=1)
    assert client.revoke(rule["id"])["revoked"]
    with pytest.raises(NotFound):
        client.revoke("unheard-of")
    sample = alike("fresh", 2)
    fill(url, sample)
    assert client.trajectory("fresh")["summary"]["verdict"] == "unsafe"


def test_a_person_is_never_overruled_by_a_rule(place: tuple[Client, str]) -> None:
    client, _ = place
    client.review("run-injected", "confirm", author="ann")
    project = INJECTED.trajectory.project
    assert client.suppress(project, {"tool": "send_email"}, author="bob", reason="r", days=1).get("count", 0) == 0
    assert client.trajectory("run-injected")["summary"]["verdict"] == "unsafe"


def test_the_round_trip_loses_nothing(place: tuple[Client, str], tmp_path: Any) -> None:
    """Correct, judge anew, restart, export, import into an empty store: the same reviews, rules and labels."""
    client, url = place
    project = INJECTED.trajectory.project
    client.review(
        "run-injected", "correct", author="ann", step=3, labels={"real_world_harm": HARM}, note="<b>“why”</b>"
    )
    client.review("run-injected", "confirm", author="bob")
    client.review("run-injected", "correct", author="ann", step=5, labels={"failure_mode": "", "real_world_harm": HARM})
    client.review("run-benign", "approve", author="ann")
    client.suppress(project, {"tool": "nothing_like_it"}, author="ann", reason="r", days=1)
    save(url, other_guard(), project)
    with serving_store(url) as base:  # another process over the same store
        after = Client(base)
        exported = after.reviews(project=project)["reviews"]
        rules = after.suppressions()["suppressions"]
        rows = {format: list(after.dataset(project, format=format)) for format in ("atbench", "native", "chat")}
        shown = after.trajectory("run-injected")["diagnosis"]["incidents"]
    assert [r["version"] for r in exported if r["trajectory_id"] == "run-injected"] == [1, 2, 3]
    with running_server() as fresh, serving_store(fresh.url) as base:
        into = Client(base)
        assert into.import_reviews(exported, rules) == {"reviews": 4, "known": 0, "suppressions": 1}
        assert into.import_reviews(exported, rules) == {"reviews": 0, "known": 4, "suppressions": 0}
        fill(fresh.url, *runs.everything())  # the telemetry comes after the reviews
        save(fresh.url, other_guard(), project)
        key = lambda review: (review["time"], review["id"])  # noqa: E731
        assert sorted(into.reviews(project=project)["reviews"], key=key) == sorted(exported, key=key)
        assert into.suppressions()["suppressions"] == rules
        assert into.trajectory("run-injected")["diagnosis"]["incidents"] == shown
        assert list(into.dataset(project, format="atbench")) == rows["atbench"]
    labels = {row["id"]: row for row in rows["atbench"]}
    assert (labels["run-injected"]["label"], labels["run-injected"]["unsafe_step"]) == (1, 5)
    assert labels["run-benign"]["label"] == 0
    assert [json.loads(row["messages"][-1]["content"])["verdict"] for row in rows["chat"]] == ["safe", "unsafe"]
    for format in ("atbench", "native"):
        path = tmp_path / f"{format}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[format]))
        cases = {case.trajectory.id: case for case in sniff.read(path)}
        assert (cases["run-injected"].label, cases["run-benign"].label) == (1, 0)
        assert cases["run-injected"].gold.real_world_harm == HARM


def test_a_run_that_another_takes_in_brings_its_reviews(place: tuple[Client, str]) -> None:
    client, url = place
    client.review("run-benign", "mark", author="ann", step=1)
    whole = msgspec.structs.replace(runs.benign().trajectory, id="founder", digest="whole")

    async def merge() -> None:
        store = store_at(url)
        await store.save_trajectory(whole, ["run-benign"], records=99)
        await store.close()

    asyncio.run(merge())
    stored = client.trajectory("run-benign")
    assert stored["summary"]["id"] == "founder"
    assert [r["action"] for r in stored["reviews"]] == ["mark"]
    assert stored["summary"]["verdict"] == "unsafe"


def test_reviews_and_verdicts_that_cross_are_both_kept(server_url: str) -> None:
    async def scenario(store: RedisStore) -> Any:
        await runs.put(store, INJECTED)
        diagnosis = judged(INJECTED.diagnosis)
        desk = Reviewing(store)
        stored = await store.get("run-injected")
        assert stored is not None
        said = [
            Said(trajectory_id="run-injected", action=action, author="x") for action in ("dismiss", "reopen", "confirm")
        ]
        again = [msgspec.structs.replace(diagnosis, p_unsafe=p / 100) for p in range(90, 99)]
        await asyncio.gather(
            *(desk.say(each, stored) for each in said),
            *(store.save_diagnosis(INJECTED.trajectory.project, each) for each in again),
        )
        await desk.say(Said(trajectory_id="run-injected", action="dismiss", author="x"), stored)
        return await store.get("run-injected")

    found = play(server_url, scenario)
    assert len(found.reviews) == 4
    assert found.summary.verdict == "safe"
    assert found.summary.incidents == 0
