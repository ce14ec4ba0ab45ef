"""What a reviewer says of an incident: one bar of buttons, each with a key; forms for what needs more than a key.

Invariant: every word is sent at once, and the last one can be taken back.
"""

from __future__ import annotations

from typing import Any, TypedDict, cast

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Incident, Labels, ReviewAction, View
from dashboard import filters, reviewer, source

_FORM, _SAID, _NOTE = "review form", "review said", "review note"
_DAYS = 30


class _Said(TypedDict):
    """What was said last, to be shown and taken back."""

    words: str
    run: str
    undo: ReviewAction
    incident: str | None
    step: int | None


def last() -> None:
    """Shows what was said last, with a way back."""
    said: _Said | None = st.session_state.get(_SAID)
    if said is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="said"):
        st.text(said["words"], width="stretch")
        if st.button("Undo", shortcut="U", icon=":material/undo:", key="undo"):
            source.client().review(
                said["run"],
                said["undo"],
                author=reviewer.name(),
                incident_id=said["incident"],
                step=said["step"],
                note="taken back",
            )
            del st.session_state[_SAID]
            st.query_params["run"] = said["run"]
            st.rerun()


def bar(view: View, incident: Incident) -> None:
    """Draws the buttons, and the form that one of them opened."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Confirm", shortcut="Y", type="primary", icon=":material/check:", key="confirm"):
            _say(view, incident, "confirm", "Confirmed")
        if st.button("Dismiss", shortcut="D", icon=":material/close:", key="dismiss"):
            _say(view, incident, "dismiss", "Dismissed")
        _opener("Correct…", "E", ":material/edit:", "correct")
        _opener("Dismiss all like this…", "L", ":material/filter_alt_off:", "like")
        _opener("Mark another step…", "M", ":material/flag:", "mark")
        st.text_input(
            "Why",
            key=_NOTE,
            placeholder="Why (goes with whatever you say)",
            label_visibility="collapsed",
            max_chars=4000,
        )
    forms = {"correct": _correct, "like": _like, "mark": _mark}
    wanted = forms.get(st.session_state.get(_FORM, ""))
    if wanted is not None:
        with st.form(f"{st.session_state[_FORM]} {incident['id']}"):
            wanted(view, incident)


def _opener(label: str, key: str, icon: str, form: str) -> None:
    if st.button(label, shortcut=key, icon=icon, key=f"open {form}"):
        st.session_state[_FORM] = None if st.session_state.get(_FORM) == form else form


def _say(view: View, incident: Incident, action: ReviewAction, word: str, **more: Any) -> None:  # noqa: ANN401 - fields of the API
    """Sends it, and goes on to the next."""
    summary = view["summary"]
    marked = action == "mark"
    said: _Said = {
        "words": f"{word}: {wording.visible(summary['title'])}",
        "run": summary["id"],
        "undo": "unmark" if marked else "reopen",
        "incident": None if marked else incident["id"],
        "step": more["step"] if marked else None,
    }
    outcome = source.client().review(
        summary["id"],
        action,
        author=reviewer.name(),
        incident_id=None if marked else incident["id"],
        note=st.session_state.get(_NOTE) or None,
        **more,
    )
    rule = outcome.get("suppression")
    if rule is not None:
        others = wording.plural(rule.get("count", 0), "other incident")
        said["words"] += f" — the rule dismissed {others} so far; end it under Suppression rules"
    st.session_state[_SAID] = said
    st.session_state[_FORM] = None
    st.session_state.pop(_NOTE, None)
    st.rerun()


def _labels(given: Labels, key: str) -> Labels:
    columns = st.columns(3)
    chosen: dict[str, str] = {}
    for column, axis in zip(columns, source.taxonomy()["axes"], strict=True):
        with column:
            heading = f"{axis['question']}: {axis['name'].lower()}"
            chosen[axis["id"]] = filters.label(axis["id"], heading, given.get(axis["id"]), f"{key} {axis['id']}")
    return cast("Labels", chosen)


def _step(view: View, heading: str, given: int, key: str) -> int:
    steps = len(view["outline"])
    return int(st.number_input(heading, min_value=1, max_value=steps, value=given + 1, step=1, key=key)) - 1


def _correct(view: View, incident: Incident) -> None:
    labels = _labels(incident["labels"], f"correct {incident['id']}")
    step = _step(view, "It goes wrong at step", incident["onset"], f"correct step {incident['id']}")
    if st.form_submit_button("Save the correction", type="primary"):
        changed = {axis: label for axis, label in labels.items() if label != incident["labels"].get(axis, "")}
        moved = {"step": step} if step != incident["onset"] else {}
        _say(view, incident, "correct", "Corrected", labels=cast("Labels", changed) or None, **moved)


def _like(view: View, incident: Incident) -> None:
    st.text(
        "Incidents of this project with the same tool, agent, where, how and detector are dismissed too: those that "
        "are open now, and those to come until the rule ends. Each can be reopened."
    )
    days = st.number_input("For days", min_value=1, max_value=366, value=_DAYS, step=1, key="like days")
    if st.form_submit_button("Dismiss all like this", type="primary"):
        reason = st.session_state.get(_NOTE) or ""
        _say(view, incident, "dismiss", "Dismissed", suppress={"reason": reason, "days": float(days)})


def _mark(view: View, incident: Incident) -> None:
    labels = _labels({}, f"mark {incident['id']}")
    step = _step(view, "This step is unsafe", incident["onset"], f"mark step {incident['id']}")
    if st.form_submit_button("Mark it", type="primary"):
        given = {axis: label for axis, label in labels.items() if label}
        _say(view, incident, "mark", f"Marked step {step + 1}", step=step, labels=cast("Labels", given) or None)
