"""What a person says of a run: a dialog that the run's page asks for, and what was said so far.

Invariant: nothing is said without the button of the dialog; what was said changes the page at once.
"""

from __future__ import annotations

import json
from typing import Any, cast

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Incident, Labels, ReviewAction, View
from dashboard import filters, reviewer, source
from dashboard.components import table

_ASKED = "asked to say"
_TITLES: dict[str, str] = {
    "confirm": "Confirm this incident",
    "correct": "Correct this incident",
    "dismiss": "Dismiss this incident",
    "reopen": "Reopen this incident",
    "mark": "Mark this step as bad",
    "approve": "Approve this run",
}
_SAYS: dict[str, str] = {
    "confirm": "It is real, and its labels are right.",
    "correct": "It is real, but where it begins or how it is labelled is not right.",
    "dismiss": "It is a false alarm.",
    "reopen": "What was said of it no longer holds.",
    "mark": "Nobody flagged it, and it goes wrong here.",
    "approve": "Nothing is wrong with the whole run.",
}


def ask(asked: dict[str, Any]) -> None:
    """Opens a dialog with the next run of the whole page, where dialogs are drawn."""
    st.session_state[_ASKED] = asked
    st.rerun()


def render(view: View) -> None:
    """Draws the dialog that was asked for."""
    asked = st.session_state.pop(_ASKED, None)
    if asked is None:
        return
    if asked["kind"] == "case":
        st.dialog("Save as regression case")(_case)(view)
        return
    action = str(asked["action"])
    st.dialog(_TITLES[action])(_said)(view, action, asked.get("incident"), asked.get("step"))


def _case(view: View) -> None:
    with source.shown_errors():
        case = source.client().export(view["summary"]["id"], "regression")
        bad = case.get("bad_step")
        st.text("The run is fine." if bad is None else f"The run goes wrong at step {bad + 1}, says {case['by']}.")
        st.text("Put the file among your tests: `agentdog judge FILE` fails until a rule or a newer run mends it.")
        st.download_button(
            "Download the case",
            json.dumps(case, ensure_ascii=False),
            file_name=f"{case['name']}.json",
            mime="application/json",
            on_click="ignore",
            icon=":material/download:",
            type="primary",
        )


def _said(view: View, action: str, incident_id: str | None, step: int | None) -> None:
    with source.shown_errors():
        incident = next((each for each in view.get("incidents", []) if each["id"] == incident_id), None)
        st.text(_SAYS[action])
        if step is not None:
            st.text(f"Step {int(step) + 1}")
        labels: Labels | None = None
        onset: int | None = None
        if action == "correct" and incident is not None:
            steps = list(range(len(view["outline"])))
            onset = st.selectbox(
                "It goes wrong at", steps, index=incident["onset"], format_func=lambda at: f"Step {at + 1}"
            )
        if action in {"correct", "mark"}:
            labels = _labels(incident["labels"] if incident else {}, f"say {action} {incident_id or step}")
        note = st.text_area("Why (kept beside it)", max_chars=4000, height=80)
        name = st.text_input("Your name", value=reviewer.given(), placeholder=reviewer.NOBODY)
        if st.button("Save", type="primary", key="say it"):
            reviewer.keep(name)
            _send(view, action, incident, int(step) if step is not None else onset, labels, note.strip())
            st.rerun()


def _labels(given: Labels, key: str) -> Labels:
    chosen = {
        axis["id"]: filters.label(
            axis["id"], f"{axis['question']}: {axis['name']}", given.get(axis["id"]), f"{key} {axis['id']}"
        )
        for axis in source.taxonomy()["axes"]
    }
    return cast("Labels", chosen)


def _send(
    view: View, action: str, incident: Incident | None, step: int | None, labels: Labels | None, note: str
) -> None:
    if action == "correct" and incident is not None and step == incident["onset"]:
        step = None  # the onset stays
    if action == "mark" and labels is not None and not any(labels.values()):
        labels = None
    source.client().review(
        view["summary"]["id"],
        cast("ReviewAction", action),
        author=reviewer.name(),
        incident_id=incident["id"] if incident else None,
        step=step,
        labels=labels,
        note=note or None,
        project=view["summary"]["project"],
    )


def history(view: View) -> None:
    """Draws what was said of a run, with every version."""
    said = source.client().reviews(view["summary"]["id"])["reviews"]
    if not said:
        st.caption("Nobody said anything of this run yet.")
        return
    table(
        ["When", "Who", "What", "Of", "Why"],
        [
            [
                wording.when(each["time"]),
                wording.visible(each["author"]) + (" (a rule)" if each.get("rule") else ""),
                each["action"],
                f"step {each['step'] + 1}" if each.get("step") is not None else "the run",
                wording.visible(each.get("note", "")),
            ]
            for each in said
        ],
        key="what people said",
    )
