"""Evaluations: reports as they are drawn, and the page over run folders that `atbench` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from agentdog.service.api import build_router
from dashboard import reports
from dashboard.source import URL_VARIABLE
from tests.dashboard.pages import done, drawn_page, given, texts
from tests.support.live_api import IdleGuard, serving
from tests.support.run_folder import make
from tests.support.stores import running_server, store_at


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    with running_server() as server:
        app = FastAPI()
        store = store_at(server.url)
        app.state.opened = (store,)
        app.include_router(build_router(store, IdleGuard(), runs=folder))
        with serving(app) as url:
            yield url


def test_runs_stand_side_by_side_down_to_the_row(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, base)
    test = drawn_page("evaluations")
    done(test.multiselect(key="runs").set_value(["first", "second"]).run())
    (told,) = given(test, "scores")
    assert told["runs"] == ["first", "second"]
    assert [row["name"] for row in told["rows"]][:4] == ["Accuracy", "Precision", "Recall", "F1"]
    assert all(len(row["values"]) == 2 for row in told["rows"])
    (plots,) = given(test, "reliability")
    assert sum(plots["confusion"].values()) == 4
    assert plots["bins"]
    problems = next(each for each in given(test, "table") if each["columns"] == ["Folder", "Why"])
    assert [row[0] for row in problems["rows"]] == ["broken"]
    test = drawn_page("evaluations", rows="All rows")
    test.session_state["evaluation row"] = ("first", "run-injected")
    done(test.multiselect(key="runs").set_value(["first"]).run())
    rows = next(each for each in given(test, "table") if each["columns"][0] == "Row")
    assert {row[0]["text"] for row in rows["rows"]} >= {"run-injected", "run-benign"}
    steps = next(each for each in given(test, "table") if each["columns"][0] == "Step")
    assert any("collector@evil.example" in row[4] for row in steps["rows"])
    assert "run-injected" in texts(test)


def test_without_a_folder_the_setting_is_named(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, api_url)
    test = drawn_page("evaluations")
    assert "AGENTDOG_UI__RUNS" in test.code[0].value
    assert given(test, "scores") == []


def test_the_surest_errors_come_first_and_a_missing_answer_is_wrong() -> None:
    rows = [
        {"id": "a", "label": 1, "prediction": 0, "p_unsafe": 0.4},
        {"id": "b", "label": 1, "prediction": 0, "p_unsafe": 0.01},
        {"id": "c", "label": 0, "prediction": None, "reason": "timed_out"},
        {"id": "d", "label": 0, "prediction": 1, "p_unsafe": 0.7},
        {"id": "e", "label": 1, "prediction": 1, "p_unsafe": 0.9},
    ]
    assert [row["id"] for row in reports.chosen(rows, "Errors")] == ["b", "d", "a", "c"]
    assert [row["id"] for row in reports.chosen(rows, "Missed")] == ["b", "a"]
    assert [row["id"] for row in reports.chosen(rows, "False alarms")] == ["d", "c"]
    assert [row["id"] for row in reports.chosen(rows, "Not evaluated")] == ["c"]
    assert reports.line(rows[2])[2] == {"text": "Not evaluated", "kind": "not_evaluated"}
    assert reports.interval(None)["text"] == "-"
