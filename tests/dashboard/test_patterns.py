"""What repeats: the layout of the flow, and the page over a served API."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import msgspec
import pytest

from agentdog.client.shapes import LabelFlow, Taxonomy
from dashboard.flows import sankey
from dashboard.source import URL_VARIABLE
from taxonomy import load
from tests.dashboard.pages import drawn_page, given
from tests.support import runs

TAXONOMY = cast("Taxonomy", msgspec.to_builtins(load("all")))
HARM = "financial_and_economic_harm"


def test_bands_are_as_thick_as_their_count_at_both_ends() -> None:
    flows: list[LabelFlow] = [
        {"count": 6, "risk_source": "indirect_prompt_injection", "failure_mode": "procedural_deviation"},
        {"count": 3, "risk_source": "indirect_prompt_injection", "real_world_harm": HARM},
        {"count": 1, "risk_source": "of_tomorrow", "failure_mode": "procedural_deviation", "real_world_harm": HARM},
    ]
    laid = sankey(flows, TAXONOMY)
    where, how, what = laid["columns"]
    assert [(node["id"], node["count"]) for node in where["nodes"]] == [
        ("indirect_prompt_injection", 9),
        ("of_tomorrow", 1),
    ]
    assert [node["name"] for node in how["nodes"]][1] == "Not said"
    assert [node["count"] for node in what["nodes"]] == [6, 4]
    for column in (where, how, what):
        ends = [(node["y"], node["y"] + node["h"]) for node in column["nodes"]]
        assert all(low < high for low, high in ends)
        assert all(one[1] <= other[0] for one, other in pairwise(ends))
        assert ends[-1][1] <= laid["height"]
    for at, column in enumerate((where, how)):
        for node in column["nodes"]:
            out = sum(band["h"] for band in laid["bands"] if (band["column"], band["from"]) == (at, node["id"]))
            assert out == pytest.approx(node["h"], abs=0.05)
    assert sankey([], TAXONOMY)["bands"] == []


def test_the_page_shows_flow_heat_tools_and_agents(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, api_url)
    test = drawn_page("patterns")
    assert {each.label: each.value for each in test.metric}["Unsafe"] == "2"
    (flow,) = given(test, "flow")
    assert flow["columns"][0]["nodes"][0] | {"y": 0, "h": 0} == {
        "id": runs.LABELS.risk_source,
        "name": "Indirect Prompt Injection",
        "count": 2,
        "share": "100 %",
        "y": 0,
        "h": 0,
    }
    (heat,) = given(test, "heat")
    assert [(line["name"], line["total"]) for line in heat["rows"]] == [("Indirect Prompt Injection", 2)]
    assert len(heat["parts"]) == len(heat["rows"][0]["counts"])
    tools, agents = given(test, "table")
    assert ["send_email", "1 of 1"] in [[cell["text"] for cell in line] for line in tools["rows"]]
    assert agents["rows"]
    other = drawn_page("patterns", axis="How")
    assert given(other, "heat")[0]["rows"][0]["name"] == "Unconfirmed or Over-privileged Action"


def test_a_time_without_runs_says_what_to_do(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, api_url)
    test = drawn_page("patterns", span="24 hours")  # the runs of the store are older than that
    assert "Choose a longer one" in test.info[0].value
    assert given(test, "flow") == []
