"""One run, by ``?id=`` or whatever the search box was given (``?q=``): what went wrong, where it began, every step.

Invariants: a run that goes on, or was not judged yet, refreshes by itself; a long run is fetched a window of steps at a
time, a long text when it is opened. ``?step=`` counts from 1.
"""

from __future__ import annotations

from typing import Any, TypedDict

import streamlit as st

from agentdog.client import NotFound
from agentdog.client.shapes import Attributions, AttributionTarget, Flow, View
from dashboard import links, nav, source
from dashboard.components import pulse, run_story
from dashboard.mending import changes
from dashboard.story import Beside, story
from dashboard.views import dialogs, panels, results
from dashboard.why import whys

EVERY_S = 3.0
#: Steps on a page, and the longest run whose flows are looked up unasked.
WINDOW, TRACED = 60, 400
_STATE = "trajectory"


class _Reader(TypedDict):
    """Where a reader stands in a run, and what he asked for beside it."""

    wanted: str
    first: int | None
    goto: int | None
    flows: dict[int, list[Flow]]
    texts: dict[str, str]
    looks: dict[int, list[dict[str, Any]]]
    changes: dict[str, dict[str, Any]] | None
    whys: Attributions | None


def render() -> None:
    """Draws the run that the address names."""
    wanted = st.query_params.get("id")
    asked = st.query_params.get("q")
    with source.shown_errors():
        if not wanted and asked:
            wanted = results.render(asked)
        elif not wanted:
            results.ask()
        if not wanted:
            return
        reader = _reader(wanted)
        try:
            view = _view(reader)
        except NotFound:
            results.unknown(wanted)
            return
        if _settled(view):
            _draw(view, reader)
        else:
            _follow(reader)
        panels.render(view)
        dialogs.render(view)


def _reader(wanted: str) -> _Reader:
    known: _Reader | None = st.session_state.get(_STATE)
    if known is not None and known["wanted"] == wanted:
        return known
    step = st.query_params.get("step", "")
    goto = int(step) - 1 if step.isascii() and step.isdigit() and int(step) else None
    first = max(0, goto - WINDOW // 3) if goto is not None else None
    fresh: _Reader = {
        "wanted": wanted,
        "first": first,
        "goto": goto,
        "flows": {},
        "texts": {},
        "looks": {},
        "changes": None,
        "whys": None,
    }
    st.session_state[_STATE] = fresh
    return fresh


def _view(reader: _Reader) -> View:
    view = source.client().view(reader["wanted"], first=reader["first"], count=WINDOW)
    if reader["first"] and not view["steps"]:  # the address names a step that is not there
        reader["first"] = max(0, len(view["outline"]) - WINDOW)
        view = source.client().view(reader["wanted"], first=reader["first"], count=WINDOW)
    return view


def _settled(view: View) -> bool:
    return view["summary"]["completion"] != "open" and view["summary"]["verdict"] != "pending"


@st.fragment
def _follow(reader: _Reader) -> None:
    pulse(EVERY_S, key="run pulse")
    with source.shown_errors():
        _show(_view(reader), reader)


@st.fragment
def _draw(view: View, reader: _Reader) -> None:
    with source.shown_errors():
        _show(view if view["first"] == (reader["first"] or view["first"]) else _view(reader), reader)


def _show(view: View, reader: _Reader) -> None:
    _trace_incidents(view, reader)
    told = story(
        view,
        source.taxonomy(),
        flows=reader["flows"],
        texts=reader["texts"],
        links=links.of(view),
        goto=reader["goto"],
        looks=reader["looks"],
        beside=_beside(view, reader),
        asks=True,
    )
    asked = run_story(told, key=f"story {view['summary']['id']}")
    if asked:
        _answer(asked, view, reader)
        st.rerun(scope="fragment")


def _beside(view: View, reader: _Reader) -> Beside | None:
    """What was fetched behind the run; nothing while an incident came since, so that it is asked for again."""
    standing = {each["id"] for each in view.get("incidents", []) if each.get("state") != "dismissed"}
    if reader["changes"] is None or reader["whys"] is None or not standing <= reader["changes"].keys():
        return None
    told = whys(reader["whys"]["items"], view)
    return {"changes": reader["changes"], "whys": told, "no_model": reader["whys"].get("no_model", "")}


def _fetch_beside(view: View, reader: _Reader) -> None:
    run, incidents = view["summary"]["id"], view.get("incidents", [])
    found = changes(source.client().remedies(run)) if incidents else {}
    # An incident that nothing is proposed for is one that was asked about all the same.
    reader["changes"] = {each["id"]: found.get(each["id"], {}) for each in incidents}
    reader["whys"] = source.client().attributions(run)


def _trace_incidents(view: View, reader: _Reader) -> None:
    """Looks up where the values of the calls that went wrong came from; in very long runs only when asked."""
    if len(view["outline"]) > TRACED:
        return
    for incident in view.get("incidents", [])[:3]:
        for index in {incident["onset"], incident.get("realised_step", incident["onset"])}:
            if index not in reader["flows"] and view["outline"][index]["role"] == "agent":
                reader["flows"][index] = source.client().flows(view["summary"]["id"], index)["flows"]


def _answer(asked: dict[str, Any], view: View, reader: _Reader) -> None:
    """Fetches what the component asks for."""
    run, kind = view["summary"]["id"], asked.get("kind")
    if kind == "window":
        reader["first"], reader["goto"] = int(asked["first"]), int(asked["focus"])
        reader["texts"] = {}
    elif kind == "text":
        # One at a time: what was fetched before stays with the component.
        text = source.client().text(run, int(asked["step"]), str(asked["field"]))
        reader["texts"] = {f"{int(asked['step'])}.{asked['field']}": text}
    elif kind == "flows":
        reader["flows"][int(asked["step"])] = source.client().flows(run, int(asked["step"]))["flows"]
    elif kind == "beside":
        _fetch_beside(view, reader)
    elif kind == "whys":
        reader["whys"] = source.client().attributions(run)
    elif kind == "why":
        target: AttributionTarget = "action" if asked.get("target") == "action" else "verdict"
        source.client().ask_attribution(run, target=target, step=int(asked["step"]), again=bool(asked.get("again")))
        reader["whys"] = source.client().attributions(run)
    elif kind == "looks":
        reader["looks"][int(asked["step"])] = source.client().looks(run, int(asked["step"]))["items"]
    elif kind in {"review", "case"}:
        dialogs.ask(asked)
    elif kind == "open":
        nav.open_run(str(asked["id"]))
