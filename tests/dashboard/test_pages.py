"""The pages' logic over a served API: what is shown, asked for, and done."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import streamlit as st
from fastapi import Request, Response
from streamlit.testing.v1 import AppTest

from dashboard import SCRIPT
from dashboard.source import URL_VARIABLE
from dashboard.views import trajectories
from tests.dashboard.pages import drawn_page
from tests.support import runs
from tests.support.live_api import app_over, fill, serving, serving_store
from tests.support.serving import serving as sidecar
from tests.support.serving import settings_for
from tests.support.stores import running_server, store_at

TIMEOUT_S = 180.0


def page(**query: str) -> AppTest:
    """The dashboard at ``/?…``, drawn once."""
    test = AppTest.from_file(str(SCRIPT), default_timeout=TIMEOUT_S)
    for name, value in query.items():
        test.query_params[name] = value
    return done(test.run())


def done(test: AppTest) -> AppTest:
    assert not test.exception, [error.message for error in test.exception]
    return test


def drawn(test: AppTest, name: str) -> list[dict[str, Any]]:
    """What each component of that name was given."""
    protos = [element.proto for element in test.get("bidi_component")]
    return [json.loads(proto.json) for proto in protos if proto.component_name == f"agentdog.{name}"]


def button(test: AppTest, label: str) -> Any:
    return next(each for each in test.button if each.label == label)


def titles(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


@pytest.fixture
def at_api(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, api_url)


@contextmanager
def watched(store_url: str, asked: list[str]) -> Iterator[str]:
    """An API over a store, noting every path it is asked for."""
    app = app_over(store_at(store_url))

    @app.middleware("http")
    async def note(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        asked.append(request.url.path.removeprefix("/api/v1/"))
        return await call_next(request)

    with serving(app) as base:
        yield base


@pytest.mark.usefixtures("at_api")
def test_live_counts_and_lists() -> None:
    test = page()
    assert {metric.label: metric.value for metric in test.metric} == {
        "Unsafe": "2",
        "Not evaluated": "1",
        "Safe": "1",
        "Pending": "1",
    }
    incidents, going, latest = (titles(component["rows"]) for component in drawn(test, "rows"))
    assert incidents == ["run-injected", "run-hostile"]
    assert going == ["run-running"]
    assert len(latest) == len(runs.everything())


def test_live_asks_for_the_lists_only_when_something_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with running_server() as server, watched(server.url, asked) as base:
        monkeypatch.setenv(URL_VARIABLE, base)
        fill(server.url, runs.benign())
        test = page()
        assert "trajectories" in asked
        asked.clear()
        done(test.run())
        assert asked == ["events", "rates"]
        assert len(drawn(test, "rows")) == 1  # what was seen before is still there
        fill(server.url, runs.injected())
        done(test.run())
        assert titles(drawn(test, "rows")[0]["rows"]) == ["run-injected"]


def test_an_empty_store_says_how_to_point_an_agent_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_server() as server, serving_store(server.url) as base:
        monkeypatch.setenv(URL_VARIABLE, base)
        test = page()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in test.code[0].value
    assert [element.key for element in test.get("bidi_component")] == ["masthead", "live pulse"]


@pytest.mark.parametrize("query", [{}, {"q": "run-injected"}])
def test_an_api_that_is_down_is_said_with_the_remedy(query: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9")
    test = page(**query)
    assert "does not answer" in test.error[0].value
    assert any("agentdog up" in text.value for text in test.text)


@pytest.mark.usefixtures("at_api")
def test_a_run_is_found_by_any_id_and_opens_at_its_step() -> None:
    (tale,) = drawn(page(q="call_3"), "story")
    assert tale["head"]["verdict"] == "unsafe"
    assert tale["focus"] == 5
    assert tale["incidents"][0]["onset"] == 5


@pytest.mark.usefixtures("at_api")
def test_words_list_the_runs_that_hold_them_and_one_alone_opens() -> None:
    test = page(q="summarise e-mail")
    (listed,) = drawn(test, "rows")
    assert [(line["id"], line["note"]) for line in listed["rows"]][1] == (
        "run-benign",
        "The user says, step 1: Please summarise e-mail 42 and keep the summary as a note.",
    )
    assert listed["rows"][0]["href"] == "trajectory?id=run-injected&step=1"
    (tale,) = drawn(page(q="meeting room"), "story")
    assert (tale["id"], tale["focus"]) == ("run-unreachable", 0)


@pytest.mark.usefixtures("at_api")
def test_the_address_names_a_step_and_one_that_is_not_there_shows_the_last() -> None:
    (tale,) = drawn(page(q="run-injected"), "story")
    assert tale["focus"] is None
    (tale,) = drawn(opened(id="run-injected", step="3"), "story")
    assert tale["focus"] == 2
    (tale,) = drawn(opened(id="run-injected", step="9999"), "story")
    assert len(tale["steps"]) == 8


@pytest.mark.usefixtures("at_api")
def test_the_top_of_a_page_names_it_and_leads_back_from_a_run() -> None:
    assert drawn(page(), "masthead") == [{"title": "Live", "back": None}]
    test = page(q=runs.span_of("benign", 1))
    (tale,) = drawn(test, "story")
    assert (tale["head"]["verdict"], tale["focus"]) == ("safe", 1)
    (top,) = drawn(test, "masthead")
    assert top["back"] == {"text": "All trajectories", "href": "trajectories"}


@pytest.mark.usefixtures("at_api")
def test_an_unknown_id_is_shown_as_text_with_what_to_try() -> None:
    test = page(q=runs.HOSTILE[3] + " zzz")
    assert test.warning[0].value == "No run is known by that id, and none holds these words."
    assert [text.value for text in test.text] == [runs.HOSTILE[3] + " zzz"]
    assert drawn(test, "story") == []


@pytest.mark.usefixtures("at_api")
def test_a_run_that_goes_on_is_drawn_and_pending() -> None:
    (tale,) = drawn(page(q="run-running"), "story")
    assert (tale["head"]["verdict"], len(tale["steps"])) == ("pending", 2)


@pytest.mark.usefixtures("at_api")
def test_the_raw_json_is_sent_only_when_asked_for() -> None:
    test = page(q="run-injected")
    assert "Take it along" in [part.label for part in test.expander]
    assert len(test.code) == 0  # opening it needs a browser: see tests/e2e


@pytest.mark.usefixtures("at_api")
def test_nothing_untrusted_reaches_markdown_or_html() -> None:
    for test in (page(), page(q="run-hostile")):
        kinds = ("markdown", "html", "title", "header", "subheader", "caption", "latex", "error", "warning", "info")
        rendered = [str(element.proto) for kind in kinds for element in test.get(kind)]
        assert not any(marker in text for text in rendered for marker in ("owned", "collector.evil", "hostile", "frac"))


def listed(**query: str) -> AppTest:
    """The trajectories page alone."""
    return drawn_page("trajectories", **query)


def opened(**query: str) -> AppTest:
    """The trajectory page alone."""

    def script() -> None:
        from dashboard.views import trajectory

        trajectory.render()

    test = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    for name, value in query.items():
        test.query_params[name] = value
    return done(test.run())


@pytest.mark.usefixtures("at_api")
def test_pages_go_forth_and_back_and_a_filter_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectories, "PAGE_ROWS", 2)
    test = listed()
    newest = titles(drawn(test, "rows")[0]["rows"])
    done(button(test, "Older").click().run())
    older = titles(drawn(test, "rows")[0]["rows"])
    assert newest + older == [sample.id for sample in reversed(runs.everything())][:4]
    done(button(test, "Newer").click().run())
    assert titles(drawn(test, "rows")[0]["rows"]) == newest
    done(button(test, "Older").click().run())
    test.query_params["verdict"] = "safe"
    done(test.run())
    assert titles(drawn(test, "rows")[0]["rows"]) == ["run-benign"]


def test_a_visitor_is_asked_for_a_token_where_the_api_asks_for_one(
    monkeypatch: pytest.MonkeyPatch, ports: list[int]
) -> None:
    monkeypatch.delenv("AGENTDOG_TOKEN", raising=False)
    auth = {"mode": "on", "admin_token": "a-long-administrators-token"}
    with running_server() as server, sidecar(settings_for(server.url, ports, auth=auth)) as settings:
        monkeypatch.setenv(URL_VARIABLE, settings.api_url)
        fill(server.url, runs.benign())
        test = page()
        assert [each.value for each in test.header] == ["This sidecar asks who you are"]
        test.text_input[0].set_value("agd_wrong")
        test.button[0].click().run()
        assert [each.value for each in test.error] == ["That token is not known here."]
        test.text_input[0].set_value("a-long-administrators-token")
        done(test.button[0].click().run())
        assert len(drawn(test, "rows")) == 1


@pytest.mark.parametrize("name", ["trajectories", "review", "patterns", "guards", "ingest"])
def test_every_page_says_once_that_the_api_is_down(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9")
    st.cache_data.clear()  # labels that another test's API told
    said = [error.value for error in drawn_page(name).error]
    assert said == ["The sidecar does not answer."]
