"""Search, runs in pieces, whole texts, flows and raw records, over a real store."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from agentdog.client import Client, InvalidRequest, NotFound
from agentdog.service.api.shorten import shorten, whole
from agentdog.service.api.views import Found, View
from agentdog.store.contract import Version
from agentdog.store.words import words_of
from agentdog.trajectory import Step, ToolCall
from tests.support import runs
from tests.support.live_api import serving_store
from tests.support.stores import running_server, store_at


def found(client: Client, q: str, **more: Any) -> list[tuple[str, str, int | None]]:
    return [(hit["summary"]["id"], hit["kind"], hit.get("step")) for hit in client.search(q, **more)["hits"]]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (runs.span_of("injected", 4), [("run-injected", "id", 4)]),
        (runs.span_of("injected", 4).upper(), [("run-injected", "id", 4)]),
        (f" {runs.trace_of('benign')} ", [("run-benign", "id", None)]),
        ("call_3", [("run-injected", "id", 5)]),
        ("conversation-injected", [("run-injected", "id", None)]),
        ("SUMMARISE e-mail", [("run-injected", "user", 0), ("run-benign", "user", 0)]),
        ("summarise 43", [("run-injected", "user", 0)]),
        ("collector@evil.example", [("run-injected", "evidence", 5), ("run-hostile", "incident", 2)]),
        ("planted result", [("run-injected", "incident", 5)]),
        ("meeting room tues", [("run-unreachable", "user", 0)]),
        ("meet room tuesday", []),  # only the last word may be a beginning
        ("north renewals", []),  # stands in a result only: not searched
        ("?!", []),
    ],
)
def test_ids_and_words_lead_to_the_step(client: Client, q: str, expected: list[tuple[str, str, int | None]]) -> None:
    assert found(client, q) == expected


def test_a_search_may_keep_to_a_project_and_a_number(client: Client) -> None:
    assert found(client, "summarise", project="office") == []
    answer = client.search("summarise", limit=1)
    assert [hit["summary"]["id"] for hit in answer["hits"]] == ["run-injected"]
    assert answer["total"] == 2
    assert "summarise e-mail 43" in answer["hits"][0].get("excerpt", "")


def test_an_empty_search_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="q"):
        client.search("")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Größe & \uff26\uff35\uff2c\uff2c \ufb01ne", ["grösse", "full", "fine"]),
        ("a_b c-d e@f.example", ["a_b", "c", "d", "e", "f", "example"]),
        ("邮件已发送", ["邮件", "件已", "已发", "发送"]),
        ("run送信ok", ["run", "送信", "ok"]),
        ("x" * 50, ["x" * 40]),
    ],
)
def test_words_are_folded_and_unspaced_scripts_go_by_pairs(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_run_is_seen_in_pieces_and_decodes_as_the_contract(api_url: str, client: Client) -> None:
    body = httpx.get(f"{api_url}/api/v1/view/call_3", params={"count": 3}).content
    assert msgspec.json.decode(body, type=View).focus == 5
    view = client.view("run-injected", first=4, count=2)
    assert [step["index"] for step in view["steps"]] == [4, 5]
    assert [each["index"] for each in view["verdicts"]] == [4, 5]
    assert len(view["outline"]) == 8
    assert view["outline"][5] == {"role": "agent", "outcome": "unsafe", "p_unsafe": 0.97, "name": "send_email"}
    assert view["head"]["steps"] == []
    assert [incident["onset"] for incident in view.get("incidents", [])] == [5]
    assert client.view("run-unreachable").get("reasons") == {"guard_unreachable": 2}


def test_the_window_is_around_the_focus_else_the_onset(client: Client) -> None:
    assert client.view("run-injected", count=2)["first"] == 4
    assert client.view(runs.span_of("injected", 7), count=2)["first"] == 6
    assert client.view("run-benign", count=2)["first"] == 0


def test_long_texts_are_cut_and_had_whole(client: Client) -> None:
    view = client.view("run-hostile", clip=200)
    (cut,) = [cut for cut in view["cuts"]["2"] if cut["field"] == "tool_result"]
    text = client.text("run-hostile", 2, "tool_result")
    assert len(text) == cut["size"]
    shown = view["steps"][2].get("tool_result", "")
    assert text[:200] in shown
    assert len(shown) < cut["size"]
    with pytest.raises(NotFound, match="no text"):
        client.text("run-hostile", 2, "nothing")
    with pytest.raises(NotFound, match="no index 99"):
        client.text("run-hostile", 99, "content")


def test_what_evidence_quotes_stays_in_a_cut_text_and_arguments_are_cut_too() -> None:
    call = ToolCall(id="c", name="put", arguments={"body": "y" * 900, "rows": [1] * 900, "n": 1})
    step = Step(
        id="s", index=0, role="agent", content="a" * 900 + "the quote" + "b" * 900, tool_calls=(call,), sources=()
    )
    short, cuts = shorten(step, 300, ["the quote"])
    assert "the quote" in (short.content or "")
    assert short.tool_calls[0].arguments["n"] == 1
    assert {cut.field: cut.size for cut in cuts} == {
        "content": 1809,
        "tool_calls.0.arguments.body": 900,
        "tool_calls.0.arguments.rows": 1801,
    }
    for cut in cuts:
        assert len(whole(step, cut.field)) == cut.size


def test_values_are_followed_to_where_they_came_from(client: Client) -> None:
    flows = {(flow["argument"], flow["value"]): flow for flow in client.flows("run-injected", 5)["flows"]}
    outsider = flows["to", "collector@evil.example"]
    assert (outsider["origin"], outsider.get("seen")) == ("untrusted", {"untrusted": 2})
    assert client.flows("run-injected", 0)["flows"] == []


def test_versions_are_kept_once_per_change(client: Client) -> None:
    (version,) = client.view("run-injected").get("versions", [])
    assert (version["verdict"], version.get("onset")) == ("unsafe", 5)

    async def judged_again(url: str) -> tuple[Version, ...]:
        store = store_at(url)
        sample = runs.injected()
        assert sample.diagnosis is not None
        safe = msgspec.structs.replace(sample.diagnosis, incidents=(), judged_at="2026-09-22T00:00:00.000000000Z")
        await runs.put(store, sample, sample)
        await store.save_diagnosis("mailroom", safe)
        kept = tuple(await store.versions("mailroom", sample.id))
        await store.close()
        return kept

    with running_server() as server:
        newest, oldest = asyncio.run(judged_again(server.url))
    assert (newest.incidents, oldest.incidents) == (0, 1)


def test_a_new_word_of_a_run_is_found_and_one_taken_back_is_not() -> None:
    with running_server() as server, serving_store(server.url) as base:

        async def put(text: str, digest: str) -> None:
            store = store_at(server.url)
            run = runs.benign().trajectory
            first = msgspec.structs.replace(run.steps[0], content=text)
            changed = msgspec.structs.replace(run, digest=digest, steps=(first, *run.steps[1:]))
            await store.save_trajectory(changed, [])
            await store.close()

        asyncio.run(put("Summarise the ledger", "one"))
        asyncio.run(put("Summarise the notebook", "two"))
        client = Client(base)
        assert found(client, "notebook") == [("run-benign", "user", 0)]
        assert found(client, "ledger") == []
        assert msgspec.json.decode(httpx.get(f"{base}/api/v1/search?q=notebook").content, type=Found).total == 1
