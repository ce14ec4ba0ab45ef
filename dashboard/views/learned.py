"""What a project has learned from its reviews: versions with their figures, which one decides, and why none does."""

from __future__ import annotations

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import LearnedVersion, Standing
from dashboard import filters, reports, source
from dashboard.components import table

_STATES = {
    "active": "A learned version decides here.",
    "off": "The guard decides as it came; nothing learned is in use.",
    "drifted": "What was learned was switched off: newer runs differ too much from those it was learned from.",
    "outdated": "What was learned belongs to another guard's signals; learn again.",
}
_SCORES = ("f1", "precision", "recall", "auroc", "false_alarms")
_ROWS = {"learned": "Learned", "unlearned": "Guard without it", "words": "Words alone"}
_MOST = 200


def render() -> None:
    """Draws one project's standing."""
    project = filters.project(needed=True)
    if project is None:
        st.text("Choose a project: each learns from its own reviews. There is none before its first run has arrived.")
        return
    api = source.client()
    standing = api.learned(project)
    reviewed = len(api.trajectories(project=project, reviewed="yes", limit=_MOST)["items"])
    state = standing.get("state", "off")
    with st.container(border=True):
        st.subheader(_STATES[state])
        why = ", ".join(part for part in (standing.get("version"), standing.get("why")) if part)
        if why:
            st.text(wording.visible(why))
        more = "+" if reviewed == _MOST else ""
        st.text(f"{reviewed}{more} runs of this project are reviewed. Learning takes them, and says what it is worth:")
        st.code(f"agentdog learn --project {project} --keep", language="bash")
    versions = standing.get("versions", [])
    if not versions:
        st.text("No version is kept yet. The command above makes one; its figures appear here.")
        return
    _versions(standing, versions)


def _versions(standing: Standing, versions: list[LearnedVersion]) -> None:
    names = [each["version"] for each in versions]
    deciding = standing.get("version")
    lines = [
        [
            {"text": "decides", "kind": "safe"} if each["version"] == deciding else "",
            {"text": each["version"], "kind": "mono"},
            wording.when(each["made"]),
            f"{each['figures']['runs']} runs, {each['figures']['unsafe']} unsafe, {each['figures']['groups']} requests",
            reports.interval(each["figures"]["difference"])["text"],
            {"text": "yes", "kind": "safe"} if each["figures"]["better"] else {"text": "no", "kind": "not_evaluated"},
        ]
        for each in versions
    ]
    table(["", "Version", "Made", "Learned from", "F1 gained", "Better"], lines, key="versions")
    chosen = st.selectbox("Figures of", names, index=len(names) - 1, key="version")
    version = next((each for each in versions if each["version"] == chosen), versions[-1])
    figures = version["figures"]
    heads = [name.replace("_", " ").capitalize() for name in _SCORES]
    body = [
        [words, *(reports.interval(figures[kind][score])["text"] for score in _SCORES)] for kind, words in _ROWS.items()
    ]
    table(["Judged by", *heads], body, key="figures")
    st.caption(
        "5-fold cross-validation by request: every run judged by a model that saw nothing of its request. "
        "In brackets 95 % intervals. Words alone: TF-IDF of the whole run with logistic regression."
    )
    _decide(standing, version)


def _decide(standing: Standing, version: LearnedVersion) -> None:
    with st.container(horizontal=True):
        decides = standing.get("version") == version["version"] and standing.get("state") == "active"
        better = bool(version["figures"]["better"])
        if st.button("Let this version decide", disabled=decides or not better, type="primary", key="activate"):
            source.client().decide_learned(standing["project"], version["version"])
            st.rerun()
        if st.button("Let none decide", disabled=standing.get("state", "off") == "off", key="switch off"):
            source.client().decide_learned(standing["project"], None)
            st.rerun()
    if not better:
        st.caption("It is not better than the guard without it, so it cannot decide. Review more runs and learn again.")
