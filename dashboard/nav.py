"""The pages and the ways between them.

Invariant: an id goes into a link as a query parameter only, so it can lead to no other page.
"""

from __future__ import annotations

from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import Page

from dashboard.rows import Row

_SEARCHED = "searched_for"
_BOX = "search_box"


def _live() -> None:
    from dashboard.views import live  # views import this module: imported when the page is drawn

    live.render()


def _trajectories() -> None:
    from dashboard.views import trajectories

    trajectories.render()


def _trajectory() -> None:
    from dashboard.views import trajectory

    trajectory.render()


def live() -> Page:
    """The first page: what goes wrong right now."""
    return st.Page(_live, title="Live", url_path="live", icon=":material/sensors:", default=True)


def trajectories() -> Page:
    """The list of all runs."""
    return st.Page(_trajectories, title="Trajectories", url_path="trajectories", icon=":material/list:")


def trajectory() -> Page:
    """One run."""
    return st.Page(_trajectory, title="Trajectory", url_path="trajectory", icon=":material/timeline:")


def open_run(run_id: str, step: int | None = None) -> NoReturn:
    """Goes to a run, at the step of that index where given; the address counts steps from 1."""
    at = {"step": str(step + 1)} if step is not None else {}
    st.switch_page(trajectory(), query_params={"id": run_id, **at})


def open_row(row: Row) -> NoReturn:
    """Goes where a line of a list leads."""
    open_run(row["id"], row.get("step"))


def search_box() -> None:
    """Draws the box that finds a run by any id; what was typed is taken up by `follow_search`."""
    st.text_input(
        "Find a run by any id or by words",
        key=_BOX,
        type="search",
        placeholder="Any id, or words of a request or of evidence",
        label_visibility="collapsed",
        icon=":material/search:",
        on_change=_searched,
    )


def _searched() -> None:
    st.session_state[_SEARCHED] = st.session_state[_BOX].strip()
    st.session_state[_BOX] = ""


def follow_search() -> None:
    """Goes where the box, or ``/?q=…``, asks to go; called before anything is drawn, as a callback may not navigate."""
    wanted = st.session_state.pop(_SEARCHED, None)
    if wanted:
        st.switch_page(trajectory(), query_params={"q": wanted})
