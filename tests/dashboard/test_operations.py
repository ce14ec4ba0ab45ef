"""The pages of operators: how guards do, what alerts, what arrived, what was given up."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from agentdog.client import Client
from agentdog.client.shapes import Timing
from agentdog.service.figures import Figures
from agentdog.spans.records import Rejection
from agentdog.store.redis_store import RedisStore
from dashboard import mends, timing
from dashboard.source import URL_VARIABLE
from tests.dashboard.pages import done, drawn_page, given, texts
from tests.support import records, runs
from tests.support.live_api import fill, serving_store
from tests.support.stores import play, running_server

REASON = "span_id must be 8 bytes, not all zero"


async def _history(store: RedisStore) -> None:
    """Verdicts with their cost, a refused span, a blind instrumentation, and a trace that was given up."""
    figures = Figures(store)
    figures.count("verdicts", "p", "safe", by=3)
    figures.count("verdicts", "p", "not_evaluated")
    figures.count("not_evaluated", "p", "timed_out")
    figures.count("tokens", "p", "prompt", by=1000)
    figures.count("tokens", "p", "cached", by=750)
    for seconds in (0.15, 0.15, 0.15, 40.0):
        figures.observe("guard_seconds", seconds)
    await figures.flush()
    blind = msgspec.structs.replace(
        records.span(0, 0, **{"gen_ai.operation.name": "chat"}), scope="opentelemetry.instrumentation.openai_v2"
    )
    batch = msgspec.structs.replace(records.batch(blind), rejected=(Rejection(id="t:s", reason=REASON),))
    await store.append("p", batch)
    (work,) = await store.claim("w", count=8, block_ms=10)
    assert await store.fail(work, "ValueError: boom", limit=1)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with running_server() as server:
        play(server.url, _history)
        fill(server.url, *runs.everything())
        with serving_store(server.url) as base:
            monkeypatch.setenv(URL_VARIABLE, base)
            yield Client(base)


def test_the_guard_s_figures_are_said_and_add_up(client: Client) -> None:
    (judged,) = client.figures()["items"]
    assert judged["verdicts"] == {"safe": 3, "not_evaluated": 1}
    test = drawn_page("guards")
    assert {each.label: each.value for each in test.metric} == {
        "Verdicts": "4",
        "Not evaluated": "25 %",
        "Median answer": "≤ 200 ms",
        "Prompt tokens from a cache": "75 %",
    }
    _, reasons, times = given(test, "table")
    assert reasons["rows"][0][0]["text"] == "Timed out"
    assert "raise the deadline" in reasons["rows"][0][2]
    assert [line[0] for line in times["rows"]] == ["≤ 200 ms", "≤ 1 min 0 s"]


def test_packs_and_budgets_are_listed(client: Client) -> None:
    known = [each["name"] for each in client.packs()]
    (packs,) = given(drawn_page("guards", part="Packs"), "table")
    assert [line[1]["text"] for line in packs["rows"]] == known
    test = drawn_page("guards", part="Budgets")
    (budgets,) = given(test, "table")
    assert {line[0] for line in budgets["rows"]} >= {"mailroom", "office"}
    assert "no bound on tokens" in texts(test)


def test_thresholds_are_replayed_and_one_is_decided(client: Client) -> None:
    test = drawn_page("guards", part="Alerts and tuning", project="mailroom")
    states, candidates, _ = given(test, "table")
    assert [line[1] for line in states["rows"] if line[0] == "mailroom"] == ["observed only"]
    assert candidates["columns"][1:] == ["From P(unsafe)", "Alerts", "Runs", "A day"]
    test.toggle[0].set_value(True)
    done(next(each for each in test.button if each.label == "Decide for this project").click().run())
    (state,) = client.tuning("mailroom")
    assert (state["alerting"], state["basis"]) == ("on", "tuned")


def test_every_record_is_accounted_for_and_the_refused_say_why_and_what_mends(client: Client) -> None:
    del client
    (accounting,) = given(drawn_page("ingest"), "table")
    (line,) = [each for each in accounting["rows"] if each[0] == "p"]
    assert [cell["text"] for cell in line[1:]] == ["2", "1", "0", "1", "0", "every record"]
    reasons, single = given(drawn_page("ingest", part="Refused"), "table")
    assert [reasons["rows"][0][0], reasons["rows"][0][1]["text"]] == [REASON, "1"]
    assert "32 and 16 hex digits" in reasons["rows"][0][2]
    assert single["rows"][0][2]["text"] == "t:s"
    assert mends.mend("of tomorrow") == "See docs/rejections.md."


def test_a_blind_instrumentation_is_named_with_the_mend(client: Client) -> None:
    del client
    (scopes,) = given(drawn_page("ingest", part="Instrumentations"), "table")
    (line,) = scopes["rows"]
    assert line[0] == {"text": "blind", "kind": "not_evaluated"}
    assert "CAPTURE_MESSAGE_CONTENT" in line[-1]


def test_dead_letters_are_replayed(client: Client) -> None:
    test = drawn_page("ingest", part="Dead letters")
    (letters,) = given(test, "table")
    assert letters["rows"][0][4] == "ValueError: boom"
    done(test.button(key="replay all").click().run())
    assert client.dead_letters()["items"] == []
    assert test.success[0].value == "Nothing was given up."


def test_a_quantile_is_no_finer_than_its_parts() -> None:
    held: Timing = {"kind": "guard", "bounds": [0.1, 1.0], "counts": [5, 4, 1], "seconds": 4.0}
    assert [timing.quantile(held, share) for share in (0.5, 0.9, 0.95)] == ["≤ 100 ms", "≤ 1.0 s", "> 1.0 s"]
    assert timing.quantile({**held, "counts": [0, 0, 0]}, 0.5) == ""
