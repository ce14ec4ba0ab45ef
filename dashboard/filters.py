"""Small controls that several pages share; what is chosen lives in the address."""

from __future__ import annotations

import streamlit as st

from agentdog.client import wording
from dashboard import source


def project(*, needed: bool = False) -> str | None:
    """Asks which project; with `needed` one is always chosen, the first where nobody did."""
    names = sorted(source.client().projects()["projects"])
    chosen = st.selectbox(
        "Project",
        names,
        index=0 if needed and names else None,
        key="project",
        placeholder="All projects",
        format_func=wording.visible,
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen or None


def label(axis_id: str, heading: str, given: str | None, key: str) -> str:
    """Asks for a label of an axis; ``""`` is none."""
    axis = next(each for each in source.taxonomy()["axes"] if each["id"] == axis_id)
    names = {"": "None", **{each["id"]: each["name"] for each in axis["labels"]}}
    if given and given not in names:
        names[given] = wording.visible(given)
    options = list(names)
    return st.selectbox(
        heading, options, index=options.index(given or ""), key=key, format_func=lambda value: names[value]
    )
