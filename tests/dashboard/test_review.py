"""The review page's logic over a served API and a real store: what waits, what is said, what becomes of it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from agentdog.client import Client
from tests.dashboard.pages import done, drawn_page, given, texts


def press(test: AppTest, key: str) -> AppTest:
    return done(test.button(key=key).click().run())


def test_the_queue_shows_the_newest_open_incident_with_what_must_be_read(own: Client) -> None:
    waiting = [run["id"] for run in own.trajectories(open="yes")["items"]]
    assert set(waiting) == {"run-injected", "run-hostile"}
    test = drawn_page("review", run="run-injected")
    (told,) = given(test, "case")
    assert [(step["n"], step["mark"]) for step in told["steps"]] == [(3, "source"), (6, "onset")]
    assert [axis["question"] for axis in told["axes"]] == ["Where", "How", "What"]
    assert "collector@evil.example" in told["quotes"]
    assert "of 2 with open incidents" in texts(test)


def test_a_word_is_kept_signed_and_can_be_taken_back(own: Client) -> None:
    test = drawn_page("review", run="run-injected")
    test.text_input(key="reviewer_box").set_value("ann").run()
    test.text_input(key="review note").set_value("seen it")
    press(test, "confirm")
    (review,) = own.reviews("run-injected")["reviews"]
    assert (review["action"], review["author"], review["note"]) == ("confirm", "ann", "seen it")
    assert [run["id"] for run in own.trajectories(open="yes")["items"]] == ["run-hostile"]
    assert "of 1 with open incidents" in texts(test)
    press(test, "undo")
    assert [review["action"] for review in own.reviews("run-injected")["reviews"]] == ["confirm", "reopen"]
    assert test.query_params["run"] == "run-injected"


def test_an_axis_and_the_onset_are_corrected(own: Client) -> None:
    test = press(drawn_page("review", run="run-injected"), "open correct")
    incident = own.view("run-injected", count=0)["incidents"][0]
    test.selectbox(key=f"correct {incident['id']} real_world_harm").set_value("financial_and_economic_harm")
    test.number_input(key=f"correct step {incident['id']}").set_value(4)
    done(next(each for each in test.button if each.label == "Save the correction").click().run())
    (found,) = own.view("run-injected", count=0)["incidents"]
    assert (found["labels"]["real_world_harm"], found["onset"]) == ("financial_and_economic_harm", 3)
    assert found["state"] == "confirmed"


def test_all_like_it_are_dismissed_by_a_rule_that_is_listed_and_ended(own: Client) -> None:
    test = press(drawn_page("review", run="run-injected"), "open like")
    done(next(each for each in test.button if each.label == "Dismiss all like this").click().run())
    (rule,) = own.suppressions()["suppressions"]
    (shown,) = given(drawn_page("rules"), "table")
    assert shown["rows"][0][0] == {"text": "active", "kind": "safe"}
    assert "where: Indirect Prompt Injection" in shown["rows"][0][1]
    assert shown["rows"][0][-1]["text"] == "End now"
    own.revoke(rule["id"])
    (shown,) = given(drawn_page("rules"), "table")
    assert (shown["rows"][0][0], shown["rows"][0][-1]) == ("ended by hand", "")


def test_an_empty_queue_says_so(own: Client) -> None:
    for run in own.trajectories(open="yes")["items"]:
        own.review(run["id"], "dismiss", author="ann")
    test = drawn_page("review")
    assert "Nothing waits for you" in test.success[0].value
    assert given(test, "case") == []


def test_what_was_learned_says_how_to_learn(own: Client) -> None:
    del own
    test = drawn_page("learned")
    assert "nothing learned is in use" in test.subheader[0].value
    assert "agentdog learn --project" in test.code[0].value
