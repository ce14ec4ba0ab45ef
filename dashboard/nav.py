"""The pages and the ways between them.

Invariant: an id goes into a link as a query parameter only, so it can lead to no other page.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import Page

from dashboard.components import masthead
from dashboard.rows import Row


def _drawing(view: str) -> Callable[[], None]:
    """Returns what draws a page; its module is imported then, as views import this one."""

    def draw() -> None:
        import_module(f"dashboard.views.{view}").render()

    draw.__name__ = view
    return draw


def live() -> Page:
    """The first page: what goes wrong right now."""
    return st.Page(_drawing("live"), title="Live", url_path="live", icon=":material/sensors:", default=True)


def trajectories() -> Page:
    """The list of all runs."""
    return st.Page(_drawing("trajectories"), title="Trajectories", url_path="trajectories", icon=":material/list:")


def trajectory() -> Page:
    """One run; reached from others, so that it is in no menu."""
    return st.Page(
        _drawing("trajectory"),
        title="Trajectory",
        url_path="trajectory",
        icon=":material/timeline:",
        visibility="hidden",
    )


def review() -> Page:
    """What waits for a person's word."""
    return st.Page(_drawing("review"), title="Review", url_path="review", icon=":material/rate_review:")


def patterns() -> Page:
    """What repeats."""
    return st.Page(_drawing("patterns"), title="Patterns", url_path="patterns", icon=":material/hub:")


def guards() -> Page:
    """Who judges, and how that goes."""
    return st.Page(_drawing("guards"), title="Guards", url_path="guards", icon=":material/shield:")


def ingest() -> Page:
    """What arrived, and what became of it."""
    return st.Page(_drawing("ingest"), title="Ingest", url_path="ingest", icon=":material/input:")


def playground() -> Page:
    """Any document, judged and not kept."""
    return st.Page(_drawing("playground"), title="Playground", url_path="playground", icon=":material/science:")


def evaluations() -> Page:
    """What guards scored on labelled rows."""
    return st.Page(_drawing("evaluations"), title="Evaluations", url_path="evaluations", icon=":material/bar_chart:")


def pages() -> list[Page]:
    """All pages, in the order of the menu."""
    return [
        live(),
        trajectories(),
        review(),
        patterns(),
        evaluations(),
        guards(),
        ingest(),
        playground(),
        trajectory(),
    ]


def open_run(run_id: str, step: int | None = None) -> NoReturn:
    """Goes to a run, at the step of that index where given; the address counts steps from 1."""
    at = {"step": str(step + 1)} if step is not None else {}
    st.switch_page(trajectory(), query_params={"id": run_id, **at})


def open_row(row: Row) -> NoReturn:
    """Goes where a line of a list leads."""
    open_run(row["id"], row.get("step"))


def top(page: Page) -> None:
    """Draws the top of a page, and goes where its box, or the way back, asks to go."""
    inside = page.url_path == trajectory().url_path
    asked, back = masthead(page.title, ("All trajectories", trajectories().url_path) if inside else None)
    if asked:
        st.switch_page(trajectory(), query_params={"q": asked})
    if back:
        st.switch_page(trajectories())
