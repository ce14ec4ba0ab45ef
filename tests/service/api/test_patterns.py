"""What repeats, which names occur, and lists from the oldest on, over a real store."""

from __future__ import annotations

import httpx
import msgspec

from agentdog.client import Client
from agentdog.service.api.patterns import Names, Patterns
from tests.support import runs


def test_patterns_count_by_verdict_label_tool_and_agent(api_url: str, client: Client) -> None:
    body = httpx.get(f"{api_url}/api/v1/patterns", params={"buckets": 4}).content
    assert msgspec.json.decode(body, type=Patterns).read == 2
    found = client.patterns(buckets=4)
    assert found["verdicts"] == {"safe": 1, "unsafe": 2, "not_evaluated": 1, "pending": 1}
    (flow,) = found["flows"]
    assert flow["count"] == 2
    assert flow.get("risk_source") == runs.LABELS.risk_source
    for axis, labels in found["heat"].items():
        assert {label: sum(cells) for label, cells in labels.items()} == {getattr(runs.LABELS, axis): 2}
    assert len(found["buckets"]) == 4
    tools = {each["name"]: (each["runs"], each["unsafe"]) for each in found["tools"]}
    assert tools["read_email"] == (3, 1)
    assert tools["send_email"] == (1, 1)


def test_patterns_keep_to_a_project_and_a_time(client: Client) -> None:
    start = client.trajectory("run-injected")["summary"]["start_time"]
    assert client.patterns(project="office")["read"] == 1
    found = client.patterns(since=start)
    assert (found["since"], found["read"]) == (start, 1)
    assert found["verdicts"]["safe"] == 0
    assert client.patterns(project="nobody")["flows"] == []


def test_cases_that_differ_in_numbers_only_are_one(client: Client) -> None:
    cases = client.patterns()["cases"]
    assert [case["count"] for case in cases] == [1, 1]
    assert {case["examples"][0]["id"] for case in cases} == {"run-injected", "run-hostile"}


def test_names_are_counted_most_frequent_first(api_url: str, client: Client) -> None:
    assert msgspec.json.decode(httpx.get(f"{api_url}/api/v1/names").content, type=Names).agents["office-bot"] == 1
    names = client.names(project="mailroom")
    assert list(names["tools"]) == ["read_email", "send_email", "write_note"]
    assert names["tools"]["read_email"] == 3
    assert client.names(project="nobody") == {"agents": {}, "tools": {}}


def test_the_list_from_the_oldest_on_pages_without_gap(client: Client) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = client.trajectories(order="oldest", limit=2, cursor=cursor)
        seen += [item["id"] for item in page["items"]]
        cursor = page.get("next")
        if cursor is None:
            break
    assert seen == [sample.id for sample in runs.everything()]
