"""All runs, filtered by verdict, axis, project, agent and tool, page by page.

Invariant: the filters live in the address, so a filtered list can be shared and survives a reload.
"""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import DisplayVerdict, Page
from dashboard import nav, source
from dashboard.components import run_list
from dashboard.rows import rows
from dashboard.views import empty

PAGE_ROWS = 25
VERDICTS: tuple[DisplayVerdict, ...] = get_args(DisplayVerdict)
_CURSORS = "trajectories cursors"
_FILTERS = "trajectories filters"


def render() -> None:
    """Draws filters, list and paging."""
    with source.shown_errors():
        chosen = _filters()
        cursors: list[str | None] = st.session_state.setdefault(_CURSORS, [None])
        if st.session_state.get(_FILTERS) != chosen:  # another filter begins at its newest run
            st.session_state[_FILTERS] = chosen
            cursors[:] = [None]
        page = source.client().trajectories(**chosen, limit=PAGE_ROWS, cursor=cursors[-1])
        if page["items"]:
            _list(page, cursors)
        elif chosen:
            st.info("No run matches these filters. Clear one of them to see more.", icon=":material/filter_alt:")
        else:
            empty.no_runs()


def _filters() -> dict[str, Any]:
    """Draws the filters and returns those that are set, by the API's names."""
    taxonomy = source.taxonomy()
    chosen: dict[str, Any] = {}
    first = st.columns(4)
    with first[0]:
        chosen["verdict"] = _choice("Verdict", "verdict", list(VERDICTS), wording.VERDICT_WORDS)
    for column, axis in zip(first[1:], taxonomy["axes"], strict=True):
        names = {label["id"]: label["name"] for label in axis["labels"]}
        with column:
            chosen[axis["id"]] = _choice(f"{axis['question']}: {axis['name'].lower()}", axis["id"], list(names), names)
    second = st.columns(4)
    with second[0]:
        chosen["project"] = _choice("Project", "project", sorted(source.client().projects()["projects"]), {})
    for column, (label, key) in zip(second[1:3], (("Agent", "agent"), ("Tool", "tool")), strict=True):
        written = column.text_input(label, key=key, placeholder="Exact name", bind="query-params")
        chosen[key] = (written or "").strip()
    with second[3]:
        chosen["reviewed"] = _choice("Reviewed", "reviewed", ["yes", "no"], {"yes": "Reviewed", "no": "Not reviewed"})
    return {key: value for key, value in chosen.items() if value}


def _choice(label: str, key: str, options: list[str], words: dict[str, str]) -> str | None:
    return st.selectbox(
        label,
        options,
        index=None,
        key=key,
        placeholder="Any",
        format_func=lambda value: words.get(value, wording.visible(value)),
        bind="query-params",
    )


def _list(page: Page, cursors: list[str | None]) -> None:
    shown = rows(page["items"], source.taxonomy())
    opened = run_list(shown, key="trajectories")
    if opened is not None:
        nav.open_row(shown[opened])
    if not page.get("next") and len(cursors) == 1:
        return
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        if st.button("Newer", disabled=len(cursors) == 1, icon=":material/arrow_back:"):
            cursors.pop()
            st.rerun()
        if st.button("Older", disabled=not page.get("next"), icon=":material/arrow_forward:", icon_position="right"):
            cursors.append(page.get("next"))
            st.rerun()
