"""The list and the single run, over a real store."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from agentdog.client import Client, InvalidRequest
from agentdog.store.contract import FeedPage, Page, Stored
from tests.support import runs

LABELS = {axis: getattr(runs.LABELS, axis) for axis in ("risk_source", "failure_mode", "real_world_harm")}


def ids(page: Any) -> list[str]:
    return [item["id"] for item in page["items"]]


def test_the_list_is_newest_first_and_decodes_as_the_contract(api_url: str) -> None:
    body = httpx.get(f"{api_url}/api/v1/trajectories").content
    page = msgspec.json.decode(body, type=Page)
    assert [item.id for item in page.items] == [sample.id for sample in reversed(runs.everything())]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"verdict": "safe"}, ["run-benign"]),
        ({"verdict": "unsafe"}, ["run-injected", "run-hostile"]),
        ({"verdict": "not_evaluated"}, ["run-unreachable"]),
        ({"verdict": "pending"}, ["run-running"]),
        ({"project": "office"}, ["run-unreachable", "run-hostile"]),
        ({"risk_source": LABELS["risk_source"]}, ["run-injected", "run-hostile"]),
        ({"failure_mode": LABELS["failure_mode"], "project": "mailroom"}, ["run-injected"]),
        ({"real_world_harm": LABELS["real_world_harm"], "verdict": "safe"}, []),
        ({"agent": "office-bot"}, ["run-unreachable"]),
        ({"tool": "send_email"}, ["run-injected"]),
        ({"tool": runs.HOSTILE[1]}, ["run-hostile"]),
    ],
)
def test_filters_must_all_match(client: Client, filters: dict[str, Any], expected: list[str]) -> None:
    assert ids(client.trajectories(**filters)) == expected


def test_a_list_in_another_order_goes_on_by_its_cursor(client: Client) -> None:
    page = client.trajectories(sort="steps", limit=2)
    rest = client.trajectories(sort="steps", limit=200, cursor=page["next"])
    sizes = [item["steps"] for item in page["items"] + rest["items"]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == len(runs.everything())
    (highest,) = client.trajectories(sort="p_unsafe", limit=1)["items"]
    (lowest,) = client.trajectories(sort="p_unsafe", order="lowest", limit=1, verdict="safe")["items"]
    assert (highest["verdict"], lowest["id"]) == ("unsafe", "run-benign")
    with pytest.raises(InvalidRequest, match="by steps"):
        client.trajectories(sort="duration", cursor=page["next"])


def test_times_take_any_offset(client: Client) -> None:
    start = client.trajectory("run-benign")["summary"]["start_time"]
    assert ids(client.trajectories(since=start, until=start)) == ["run-benign"]
    shifted = "2026-09-21T16:15:20+02:00"  # the same moment as the benign run's start
    assert start == "2026-09-21T14:15:20.000000000Z"
    assert ids(client.trajectories(since=shifted, until=shifted)) == ["run-benign"]


def test_pages_follow_each_other_without_gap_or_repeat(client: Client) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(len(runs.everything()) + 1):
        page = client.trajectories(limit=2, cursor=cursor)
        seen += ids(page)
        cursor = page.get("next")
        if cursor is None:
            break
    assert seen == ids(client.trajectories())


@pytest.mark.parametrize(
    ("query", "field", "remedy"),
    [
        ("verdict=fine", "verdict", "not_evaluated"),
        ("risk_source=prompt_injection", "risk_source", "indirect_prompt_injection"),
        ("failure_mode=indirect_prompt_injection", "failure_mode", "unconfirmed_or_over_privileged_action"),
        ("real_world_harm=x", "real_world_harm", "privacy_and_confidentiality_harm"),
        ("since=yesterday", "since", "RFC 3339"),
        ("until=2026-09-21T14:15:20", "until", "offset"),
        ("limit=0", "limit", "/docs"),
        ("limit=many", "limit", "/docs"),
        ("verdikt=safe", "verdikt", "/docs"),
        ("project=", "project", "/docs"),
    ],
)
def test_a_wrong_filter_names_the_field_and_the_remedy(api_url: str, query: str, field: str, remedy: str) -> None:
    answer = httpx.get(f"{api_url}/api/v1/trajectories?{query}")
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["code"], error["field"]) == ("invalid_value", field)
    assert remedy in error["remedy"]


def test_a_cursor_that_is_none_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest):
        client.trajectories(cursor="<nonsense>")


@pytest.mark.parametrize(
    "any_id",
    [
        "run-injected",
        runs.trace_of("injected"),
        runs.trace_of("injected").upper(),
        runs.span_of("injected", 5),
        "conversation-injected",
        "call_3",
    ],
)
def test_every_id_leads_to_the_run(api_url: str, any_id: str) -> None:
    body = httpx.get(f"{api_url}/api/v1/trajectories/{any_id}").content
    stored = msgspec.json.decode(body, type=Stored)
    assert stored.trajectory == runs.injected().trajectory
    assert stored.diagnosis == runs.injected().diagnosis


def test_an_id_with_markup_in_it_is_found(client: Client) -> None:
    assert client.trajectory("call_<b>h1")["summary"]["id"] == "run-hostile"


def test_an_unknown_id_is_404_in_the_one_shape(api_url: str) -> None:
    for unknown in ("nope", "a/b/../c", "%3Cscript%3E"):
        answer = httpx.get(f"{api_url}/api/v1/trajectories/{unknown}")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


def test_another_project_does_not_have_it(api_url: str) -> None:
    answer = httpx.get(f"{api_url}/api/v1/trajectories/run-injected", params={"project": "office"})
    assert answer.status_code == 404
    assert "office" in answer.json()["error"]["message"]


def test_the_feed_goes_on_from_its_cursor(api_url: str) -> None:
    now = msgspec.json.decode(httpx.get(f"{api_url}/api/v1/events").content, type=FeedPage)
    assert now.events == ()
    again = httpx.get(f"{api_url}/api/v1/events", params={"since": now.cursor, "limit": 5})
    assert msgspec.json.decode(again.content, type=FeedPage).events == ()


def test_the_feed_refuses_a_cursor_that_is_none(client: Client) -> None:
    with pytest.raises(InvalidRequest):
        client.events("<nonsense>")
