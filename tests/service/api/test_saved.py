"""Saved views over a real store: kept by project and name, refused where the list would refuse them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from agentdog.client import Client, ClientError, InvalidRequest, NotFound
from tests.support.live_api import serving_store
from tests.support.stores import running_server


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of an API whose views nobody else reads."""
    with running_server() as server, serving_store(server.url) as base:
        yield Client(base)


def names(client: Client, project: str | None = None) -> list[str]:
    return [view["name"] for view in client.saved_views(project=project)]


def test_a_view_is_kept_listed_replaced_and_deleted(client: Client) -> None:
    kept = client.save_view(" Unsafe today ", {"verdict": "unsafe", "last_s": 86400}, author="ann")
    assert (kept["name"], kept["author"], kept["filters"]) == (
        "Unsafe today",
        "ann",
        {"verdict": "unsafe", "last_s": 86400},
    )
    client.save_view("Unsafe today", {"project": "office", "verdict": "unsafe", "order": "oldest"}, author="bob")
    assert names(client) == ["Unsafe today", "Unsafe today"], "one of all projects, one of the office"
    assert [view["filters"].get("project") for view in client.saved_views(project="office")] == ["office"]
    with pytest.raises(InvalidRequest, match="already"):
        client.save_view("Unsafe today", {"verdict": "safe"}, author="bob")
    client.save_view("Unsafe today", {"verdict": "safe"}, author="bob", replace=True)
    assert client.saved_views()[0]["filters"] == {"verdict": "safe"}
    client.delete_view("Unsafe today")
    assert names(client) == names(client, "office") == ["Unsafe today"]
    with pytest.raises(NotFound, match="called 'Unsafe today'"):
        client.delete_view("Unsafe today")


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"verdict": "bad"}, "verdict"),
        ({"risk_source": "gremlins"}, "risk_source: 'gremlins' is unknown"),
        ({"since": "yesterday"}, "since: 'yesterday' is not a time"),
        ({"last_s": 60, "since": "2026-01-31T12:00:00Z"}, "last_s"),
        ({"last_s": 0}, "last_s"),
        ({"limit": 5}, "limit"),
    ],
)
def test_filters_that_the_list_would_refuse_are_not_kept(client: Client, filters: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        client.save_view("A view", filters, author="ann")  # type: ignore[arg-type]
    assert names(client) == []


def test_a_view_needs_a_name_and_there_is_an_end_to_how_many(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        client.save_view("  ", {}, author="ann")
    monkeypatch.setattr("agentdog.service.api.saved.MAX_VIEWS", 1)
    client.save_view("One", {}, author="ann")
    with pytest.raises(InvalidRequest, match="delete one"):
        client.save_view("Two", {}, author="ann")
    client.save_view("One", {"verdict": "safe"}, author="ann", replace=True)
    client.save_view("Two", {"project": "office"}, author="ann")


def test_a_body_that_is_none_says_what_is_missing(client: Client) -> None:
    answer = httpx.post(f"{client.base_url}/api/v1/saved-views", json={"filters": {}})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "name")
    with pytest.raises(ClientError):
        client.delete_view("nobody's")
