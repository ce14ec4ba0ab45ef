"""Suppression rules: what they dismiss, how often they did, when they end; and a form for a new one."""

from __future__ import annotations

from typing import Any, cast

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Like, Suppression
from dashboard import filters, reviewer, source
from dashboard.components import table

_ENDING = "rule to end"
_WORDS = {"tool": "tool", "agent": "agent", "detector": "detector"}


def render() -> None:
    """Draws the rules."""
    project = filters.project()
    found = source.client().suppressions(project=project)
    listed = list(reversed(found["suppressions"]))
    st.text(
        "A rule dismisses incidents that are alike, silently, until it ends. It never overrules a person, "
        "and what it dismissed can be reopened."
    )
    if listed:
        _ask_first(listed)
        columns = ["State", "What is alike", "Why", "By", "Project", "Ends", "Dismissed", ""]
        chosen = table(columns, [_row(rule, found["now"]) for rule in listed], key="rules")
        if chosen is not None and _holds(listed[chosen], found["now"]):
            st.session_state[_ENDING] = listed[chosen]["id"]
            st.rerun()
    else:
        st.info(
            "There is no rule. In the queue, “Dismiss all like this” makes one from an incident.",
            icon=":material/filter_alt_off:",
        )
    with st.expander("Make a rule by hand", icon=":material/add:"):
        _new(project)


def _holds(rule: Suppression, now: str) -> bool:
    return "revoked" not in rule and rule["expires"] > now


def _row(rule: Suppression, now: str) -> list[Any]:
    if "revoked" in rule:
        state: Any = "ended by hand"
    else:
        state = {"text": "active", "kind": "safe"} if rule["expires"] > now else "expired"
    last = f", last {wording.when(rule['last'])}" if rule.get("last") else ""
    return [
        state,
        wording.visible(alike(rule["like"])),
        wording.visible(rule["reason"]),
        wording.visible(rule["author"]),
        wording.visible(rule["project"]),
        wording.when(rule.get("revoked") or rule["expires"]),
        f"{rule.get('count', 0):,}{last}",
        {"text": "End now", "kind": "link"} if _holds(rule, now) else "",
    ]


def alike(like: Like) -> str:
    """Words what incidents of a rule have in common."""
    given = cast("dict[str, str]", like)
    parts = [f"{_WORDS[name]} {given[name]}" for name in _WORDS if given.get(name)]
    taxonomy = source.taxonomy()
    for axis in taxonomy["axes"]:
        if given.get(axis["id"]):
            parts.append(f"{axis['question'].lower()}: {wording.label_name(taxonomy, axis['id'], given[axis['id']])}")
    return ", ".join(parts)


def _ask_first(listed: list[Suppression]) -> None:
    """Asks once more before a rule is ended: what comes then alerts again."""
    rule = next((each for each in listed if each["id"] == st.session_state.get(_ENDING)), None)
    if rule is None:
        return
    with st.container(border=True, key="ending"):
        st.text(wording.visible(f"End the rule on {alike(rule['like'])}? New incidents like these open again."))
        with st.container(horizontal=True):
            if st.button("End it", type="primary", key="end rule"):
                source.client().revoke(rule["id"])
                del st.session_state[_ENDING]
                st.rerun()
            if st.button("Keep it", key="keep rule"):
                del st.session_state[_ENDING]
                st.rerun()


def _new(project: str | None) -> None:
    if project is None:
        st.text("Choose a project above first: a rule holds in one project.")
        return
    with st.form("new rule", border=False):
        like: dict[str, str] = {}
        columns = st.columns(3)
        for column, (name, word) in zip(columns, _WORDS.items(), strict=True):
            like[name] = column.text_input(word.capitalize(), key=f"new {name}", placeholder="Any").strip()
        for column, axis in zip(columns, source.taxonomy()["axes"], strict=True):
            with column:
                like[axis["id"]] = filters.label(axis["id"], axis["question"], None, f"new {axis['id']}")
        reason = st.text_input("Why such incidents are harmless", key="new reason", max_chars=4000)
        days = st.number_input("For days", min_value=1, max_value=366, value=30, key="new days")
        if st.form_submit_button("Make the rule", type="primary"):
            given = cast("Like", {name: value for name, value in like.items() if value})
            if not given:
                st.error("Say at least one thing that such incidents have in common.", icon=":material/error:")
                return
            source.client().suppress(project, given, author=reviewer.name(), reason=reason, days=float(days))
            st.rerun()
