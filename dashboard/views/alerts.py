"""When people are alerted: how it stands, what each threshold would have alerted, and the decision.

Invariant: nothing changes before the button that says so; trying thresholds asks no guard.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import AlertState, Candidate, Replay
from dashboard import filters, nav, source
from dashboard.components import table

_BASIS = {
    "tuned": "somebody chose it",
    "calibrated": "it was fitted on benign runs",
    "uncalibrated": "there is no threshold: every incident alerts",
}
_DAYS = {"All that is stored": None, "30 days": 30.0, "7 days": 7.0, "1 day": 1.0}


def render() -> None:
    """Draws how alerts stand in every project, then one project's replay."""
    api = source.client()
    states = api.tuning()
    if not states:
        st.info("No project yet. Alerts are tuned on what has happened.", icon=":material/notifications:")
        return
    table(
        ["Project", "Alerts", "From P(unsafe)", "Because", "To know"], [_state(each) for each in states], key="states"
    )
    st.subheader("What would have alerted")
    left, middle, right = st.columns([2, 2, 2])
    with left:
        project = filters.project(needed=True)
    span = middle.selectbox("Of", list(_DAYS), key="days", bind="query-params", label_visibility="collapsed")
    budget = right.number_input(
        "Alerts a day that you can look at",
        min_value=0.0,
        value=None,
        step=1.0,
        key="budget",
        placeholder="Alerts a day, at most",
        label_visibility="collapsed",
    )
    if project is None:
        return
    found = api.replay_alerts(project, days=_DAYS[span or "All that is stored"], max_alerts_per_day=budget)
    if not found["candidates"]:
        st.info("No stored verdict of this guard has a probability yet.", icon=":material/hourglass_empty:")
        return
    _replay(found)
    state = next((each for each in states if each["project"] == project), None)
    _decide(project, found, state, budget)


def _state(state: AlertState) -> list[Any]:
    told = {"text": "people are told", "kind": "safe"} if state["alerting"] == "on" else "observed only"
    start = state.get("alert_from")
    return [
        wording.visible(state["project"]),
        told,
        "-" if start is None else f"{start:.3f}",
        _BASIS[state["basis"]],
        wording.visible(state.get("note", "")),
    ]


def _replay(found: Replay) -> None:
    chosen = found.get("chosen")
    most = max(each["alerts"] for each in found["candidates"]) or 1
    lines = [
        [
            {"text": "fits the budget", "kind": "safe"} if chosen and each["threshold"] == chosen["threshold"] else "",
            f"{each['threshold']:.3f}",
            {"text": f"{each['alerts']:,}", "bar": each["alerts"] / most, "kind": "unsafe"},
            f"{each['trajectories']:,}",
            f"{each['per_day']:.1f}",
        ]
        for each in found["candidates"]
    ]
    table(["", "From P(unsafe)", "Alerts", "Runs", "A day"], lines, key="candidates")
    runs, guard = wording.plural(found["trajectories"], "run"), found["guard"][:12]
    st.caption(f"{runs} over {_long(found['days'])}, judged by guard {guard}. Nothing was asked again.")
    if found.get("cut"):
        st.caption("There are more runs than a replay reads; the newest were taken.")
    _more(found["candidates"])


def _long(days: float) -> str:
    return f"{days:.1f} days" if days >= 2 else wording.duration(days * 86_400)


def _more(candidates: list[Candidate]) -> None:
    """Shows which runs a lower threshold adds: what a reader must look at to choose."""
    added = [each for each in candidates if each.get("more")]
    if not added:
        return
    asked = st.selectbox(
        "What a threshold adds to the next higher one",
        added,
        format_func=lambda each: f"{each['threshold']:.3f}: {wording.plural(len(each['more']), 'more alert')} shown",
        key="added",
    )
    if asked is None:
        return
    lines = [
        [
            {"text": wording.visible(alarm["summary"]), "kind": "link"},
            f"step {alarm['onset'] + 1}",
            wording.percent(alarm.get("p_unsafe")),
        ]
        for alarm in asked["more"]
    ]
    place = table(["Incident", "At", "P(unsafe)"], lines, key="added alerts")
    if place is not None:
        nav.open_run(asked["more"][place]["trajectory_id"], asked["more"][place]["onset"])


def _decide(project: str, found: Replay, state: AlertState | None, budget: float | None) -> None:
    thresholds = [each["threshold"] for each in found["candidates"]]
    chosen = found.get("chosen")
    before = state.get("alert_from") if state else None
    given = chosen["threshold"] if chosen else before or thresholds[0]
    with st.form("tune"):
        left, right = st.columns(2)
        at = left.number_input(
            "Alert from P(unsafe)", min_value=0.001, max_value=1.0, value=float(given), step=0.01, format="%.3f"
        )
        on = right.toggle(
            "Tell people (off: only count what would have alerted)",
            value=state is not None and state["alerting"] == "on",
        )
        if st.form_submit_button("Decide for this project", type="primary"):
            decided: dict[str, Any] = {"alert_at": at, "alerting": "on" if on else "observe"}
            if budget is not None:
                decided["max_alerts_per_day"] = budget
            source.client().tune(project, **decided)
            st.rerun()
