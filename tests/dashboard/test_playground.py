"""The playground's logic over a served API with the embedded guard: what is pasted is judged and drawn."""

from __future__ import annotations

import json

import pytest

from agentdog.guards.embedded import EmbeddedGuard
from dashboard.source import URL_VARIABLE
from tests.dashboard.pages import done, drawn_page, given, texts
from tests.support.live_api import app_over, serving
from tests.support.stores import running_server, store_at


def test_the_example_is_judged_and_what_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_server() as server, serving(app_over(store_at(server.url), EmbeddedGuard())) as base:
        monkeypatch.setenv(URL_VARIABLE, base)
        test = drawn_page("playground")
        done(test.button(key="judge text").click().run())
        assert "Paste something first" in test.warning[0].value
        done(test.button(key="example").click().run())
        (tale,) = given(test, "story")
        assert tale["head"]["verdict"] == "unsafe"
        assert (tale["incidents"][0]["onset"], tale["incidents"][0]["source"]) == (3, 2)
        assert any(flow["value"] == "audit@evil.example" for flow in tale["steps"][3]["flows"])
        row = {
            "id": 1,
            "label": 1,
            "content": [[{"role": "user", "content": "Hi"}, {"role": "agent", "action": "Yes"}]],
        }
        done(test.text_area(key="playground text").set_value(json.dumps(row)).run())
        done(test.button(key="judge text").click().run())
        assert "annotators say unsafe; the guard does not agree" in texts(test)
        done(test.text_area(key="playground text").set_value("no json").run())
        done(test.button(key="judge text").click().run())
        assert "could not answer" in test.error[0].value
        assert "line 1" in texts(test)
        assert given(test, "story") == []
