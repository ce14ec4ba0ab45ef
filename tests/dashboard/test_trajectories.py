"""The list of runs: filters in the address, saved views, many runs reviewed and exported at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from agentdog.client import Client
from dashboard import many, narrowed
from dashboard.many import Chosen
from dashboard.source import URL_VARIABLE
from taxonomy import load
from tests.dashboard.pages import done, drawn_page, given, texts
from tests.support import runs

NOW = datetime(2026, 9, 21, 14, 30, tzinfo=UTC)
BENIGN = "2026-09-21T14:15:20Z"  # when the benign run begins


@pytest.fixture
def at_api(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, api_url)


def listed(test: AppTest) -> list[str]:
    found = given(test, "rows")
    return [row["id"] for row in found[0]["rows"]] if found else []


def button(test: AppTest, label: str) -> Any:
    return next(each for each in test.button if each.label.replace("\\", "") == label)


def addressed(test: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[0] for name, value in test.query_params.items()}


def opened(test: AppTest, popover: str) -> AppTest:
    test.session_state[popover] = True
    return done(test.run())


@pytest.mark.usefixtures("at_api")
def test_filters_are_chosen_behind_a_button_and_live_in_the_address() -> None:
    test = drawn_page("trajectories")
    assert len(listed(test)) == len(runs.everything())
    assert len(test.selectbox) == 0, "what is closed costs nothing"
    opened(test, "filters open")
    done(test.selectbox(key="filter verdict").set_value("unsafe").run())
    done(test.selectbox(key="filter project").set_value("mailroom").run())
    assert listed(test) == ["run-injected"]
    assert addressed(test) == {"verdict": "unsafe", "project": "mailroom"}
    done(button(test, "Verdict: Unsafe").click().run())
    assert "run-benign" in listed(test)
    done(test.selectbox(key="filter verdict").set_value("safe").run())
    done(button(test, "Clear all").click().run())
    assert len(listed(test)) == len(runs.everything())


@pytest.mark.usefixtures("at_api")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"verdict": "Unsafe", "project": "office"}, ["run-hostile"]),
        ({"risk_source": runs.LABELS.risk_source}, ["run-injected", "run-hostile"]),
        ({"risk_source": "Indirect Prompt Injection", "tool": "send_email"}, ["run-injected"]),
        ({"tool": runs.HOSTILE[1]}, ["run-hostile"]),
        ({"reviewed": "Not reviewed", "open": "yes"}, ["run-injected", "run-hostile"]),
        ({"from": "2026-09-21T14:15", "until": BENIGN}, ["run-benign"]),
        ({"until": "2026-09-21T14:14", "order": "oldest"}, ["run-hostile"]),
        ({"verdict": "unsafe", "order": "oldest"}, ["run-hostile", "run-injected"]),
        ({"sort": "p_unsafe", "project": "mailroom", "verdict": "unsafe"}, ["run-injected"]),
        ({"sort": "steps", "order": "lowest", "open": "yes"}, ["run-hostile", "run-injected"]),
        ({"agent": "nobody"}, []),
        ({"reviewed": "yes"}, []),
    ],
)
def test_the_address_narrows_the_list(query: dict[str, str], expected: list[str]) -> None:
    test = drawn_page("trajectories", **query)
    assert listed(test) == expected
    if not expected:
        assert "No run matches" in test.info[0].value


@pytest.mark.usefixtures("at_api")
def test_a_filter_that_is_none_is_said_and_can_be_taken_out() -> None:
    test = drawn_page("trajectories", verdict="bad", last="soon")
    assert "could not answer" in test.error[0].value
    assert "verdict" in texts(test)
    done(button(test, "Verdict: bad").click().run())
    assert "since" in texts(test)
    done(button(test, "When: Last soon").click().run())
    assert len(listed(test)) == len(runs.everything())


@pytest.mark.usefixtures("at_api")
def test_what_others_wrote_is_no_markup_on_a_chip() -> None:
    test = drawn_page("trajectories", tool=":red[x] **y** [z](http://a) $q$ <b>\nnext")
    (chip,) = [each.label for each in test.button if "Tool" in each.label]
    assert chip == r"Tool\: \:red\[x\] \*\*y\*\* \[z\]\(http\:\/\/a\) \$q\$ \<b\> next"


def test_spans_of_time_end_when_somebody_looks() -> None:
    assert narrowed.asked({"last": "24h"}, NOW) == {"since": "2026-09-20T14:30:00Z"}
    assert narrowed.asked({"from": "2026-09-01T10:00", "until": "2026-09-02T10:00:00+02:00"}, NOW) == {
        "since": "2026-09-01T10:00:00Z",
        "until": "2026-09-02T10:00:00+02:00",
    }
    for seconds, name in ((3600, "1h"), (86400, "24h"), (7 * 86400, "7d"), (5400, "90m"), (2 * 3600, "2h")):
        assert narrowed.span(seconds) == name
        assert narrowed.kept({"last": name}) == {"last_s": seconds}


def test_an_address_becomes_a_view_and_comes_back_as_it_was() -> None:
    taxonomy: Any = {"axes": [{"id": axis.id, "labels": []} for axis in load("all").axes]}
    query = {"verdict": "unsafe", "tool": "send_email", "from": "2026-09-01T10:00:00Z", "order": "oldest"}
    chosen = narrowed.read(query, taxonomy)
    assert narrowed.address(narrowed.kept(chosen)) == query


@pytest.mark.parametrize("order", list(narrowed.ORDERS))
def test_every_order_stands_in_an_address_and_is_read_from_it(order: tuple[str, str]) -> None:
    address = {name: value for name, value in narrowed.ordered(order).items() if value}
    taxonomy: Any = {"axes": []}
    assert narrowed.order_of(narrowed.read(address, taxonomy)) == order
    assert address == {} or order != next(iter(narrowed.ORDERS))


@pytest.mark.usefixtures("at_api")
def test_the_order_is_chosen_behind_a_button() -> None:
    test = opened(drawn_page("trajectories"), "orders open")
    done(test.radio(key="order").set_value(("steps", "highest")).run())
    assert addressed(test) == {"sort": "steps"}
    sizes = [row["facts"][0] for row in given(test, "rows")[0]["rows"]]
    assert sizes == sorted(sizes, key=lambda words: -int(words.split()[0]))
    opened(test, "orders open")
    done(test.radio(key="order").set_value(("start", "oldest")).run())
    assert addressed(test) == {"order": "oldest"}


def test_views_are_saved_shown_and_deleted(own: Client) -> None:
    test = opened(drawn_page("trajectories", verdict="unsafe", last="30d"), "views open")
    assert "No view yet" in test.caption[0].value
    test.text_input(key="view name").set_value("Unsafe [lately]")
    done(button(test, "Save").click().run())
    (view,) = own.saved_views()
    assert (view["name"], view["filters"]) == ("Unsafe [lately]", {"verdict": "unsafe", "last_s": 30 * 86400})
    other = opened(drawn_page("trajectories"), "views open")
    done(button(other, "Unsafe [lately]").click().run())
    assert addressed(other) == {"verdict": "unsafe", "last": "30d"}
    opened(test, "views open")
    test.text_input(key="view name").set_value("Unsafe [lately]")
    done(button(test, "Save").click().run())
    assert "already" in texts(test)
    test.button(key="delete view 0").click()
    done(test.run())
    assert own.saved_views() == []


@pytest.mark.usefixtures("at_api")
def test_the_list_knows_which_runs_are_chosen_here_and_how_many_elsewhere() -> None:
    test = drawn_page("trajectories", verdict="unsafe")
    shown = given(test, "rows")[0]
    assert (shown["chosen"], shown["elsewhere"], list(shown["acts"])) == ([], 0, ["all", "none", "export", "review"])
    test.session_state["chosen runs"] = {run: Chosen(run, "mailroom") for run in ("run-injected", "on-another-page")}
    shown = given(done(test.run()), "rows")[0]
    assert (shown["chosen"], shown["elsewhere"]) == (["run-injected"], 1)


@pytest.mark.parametrize("word", ["confirm", "dismiss", "approve"])
def test_one_word_is_said_of_many_runs_and_what_failed_is_told(own: Client, word: many.Word) -> None:
    chosen = {
        "run-injected": Chosen("Summarise 43", "mailroom"),
        "run-gone": Chosen("Was deleted", "mailroom"),
        "run-benign": Chosen("Summarise 42", "mailroom"),
    }
    ticks: list[int] = []
    done = many.each(chosen, lambda run, of: many.say(own, run, of, word, "ann", "seen"), ticks.append)
    assert ticks == [0, 1, 2]
    assert [(each.title, "run-gone" in each.why) for each in done.failed] == [("Was deleted", True)]
    assert done.found == {"run-injected": True, "run-benign": word == "approve"}
    (said,) = own.reviews("run-injected")["reviews"]
    assert (said["action"], said["note"], said["author"]) == (word, "seen", "ann")


def test_chosen_runs_become_rows_and_documents(own: Client) -> None:
    chosen = {run: Chosen(run, "mailroom") for run in ("run-injected", "run-benign")}
    rows = many.each(chosen, lambda run, of: many.export(own, run, of, "jsonl"), lambda _: None)
    lines = many.file_of(list(rows.found.values()), "jsonl").decode().splitlines()
    assert [json.loads(line) for line in lines] == [own.export(run) for run in chosen]
    whole = many.each(chosen, lambda run, of: many.export(own, run, of, "json"), lambda _: None)
    documents = json.loads(many.file_of(list(whole.found.values()), "json"))
    assert [each["summary"]["id"] for each in documents] == list(chosen)
    assert json.loads(many.file_of([], "json")) == []
