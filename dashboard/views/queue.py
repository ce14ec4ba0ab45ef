"""Open incidents one after another, each with what a reviewer must read and the keys to decide.

Invariant: the run under review is in the address (``?run=``); what was said is sent at once and can be taken back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st

from agentdog.client import NotFound, wording
from agentdog.client.shapes import Incident, Summary, View
from dashboard import filters, nav, reviewer, source
from dashboard.cases import case, steps_of
from dashboard.components import case as case_card
from dashboard.components import run_list
from dashboard.rows import rows
from dashboard.views import empty, saying

MANY, NEXT = 200, 8
_AT, _ORDER = "review at", "order"


class Place(NamedTuple):
    """What is under review: the run, its incident, and how many of the run's are still open."""

    view: View
    incident: Incident
    open: int


def render() -> None:
    """Draws the queue."""
    left, middle, right = st.columns([2, 2, 2])
    with left:
        project = filters.project()
    with middle:
        oldest = st.segmented_control(
            "Order",
            ["Newest first", "Oldest first"],
            default="Newest first",
            required=True,
            key=_ORDER,
            bind="query-params",
            label_visibility="collapsed",
        )
    with right:
        reviewer.ask()
    api = source.client()
    order: Any = "oldest" if oldest == "Oldest first" else "newest"
    queue = api.trajectories(open="yes", project=project, order=order, limit=MANY)["items"]
    saying.last()
    if not queue:
        _nothing(project)
        return
    at = _place(queue)
    found = _found(queue[at])
    if found is None:
        st.info("This incident was settled meanwhile.", icon=":material/task_alt:")
        return
    _moves(queue, at)
    saying.bar(found.view, found.incident)
    _card(found, at, queue)
    _upcoming(queue, at)


def _nothing(project: str | None) -> None:
    if not source.client().trajectories(project=project, limit=1)["items"]:
        empty.no_runs()
        return
    st.success("Nothing waits for you: every incident was confirmed or dismissed.", icon=":material/task_alt:")
    st.text(
        "New ones appear here by themselves when you come back. A run that nobody flagged can be marked on its page."
    )
    st.page_link(nav.trajectories(), label="Look through all runs", icon=":material/list:")


def _place(queue: list[Summary]) -> int:
    """Returns where the reader stands; after a run was settled, the one that took its place."""
    wanted = st.query_params.get("run")
    ids = [each["id"] for each in queue]
    at = ids.index(wanted) if wanted in ids else min(int(st.session_state.get(_AT, 0)), len(ids) - 1)
    _stand(queue, at)
    return at


def _stand(queue: list[Summary], at: int) -> None:
    st.session_state[_AT] = at
    st.query_params["run"] = queue[at]["id"]


def _found(summary: Summary) -> Place | None:
    try:
        view = source.client().view(summary["id"], first=0, count=0)
    except NotFound:
        return None
    waiting = [each for each in view.get("incidents", []) if each.get("state", "open") == "open"]
    return Place(view, waiting[0], len(waiting)) if waiting else None


def _moves(queue: list[Summary], at: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        if st.button("Previous", shortcut="P", icon=":material/arrow_back:", disabled=at == 0, key="previous"):
            _stand(queue, at - 1)
            st.rerun()
        more = "+" if len(queue) == MANY else ""
        st.text(f"Run {at + 1} of {len(queue)}{more} with open incidents")
        last = at == len(queue) - 1
        if st.button("Next", shortcut="N", icon=":material/arrow_forward:", icon_position="right", disabled=last):
            _stand(queue, at + 1)
            st.rerun()


def _card(found: Place, at: int, queue: list[Summary]) -> None:
    api, run = source.client(), found.view["summary"]["id"]
    parts = [api.view(run, first=index, count=1) for index in steps_of(found.incident)]
    place = "Open incident" if found.open == 1 else f"1 of {found.open} open incidents of this run"
    told = case(found.incident, parts, source.taxonomy(), place=place)
    step = case_card(told, key=f"case {run} {found.incident['id']}")
    if step is not None:
        nav.open_run(run, step)
    link = f"Open the whole run, {wording.plural(queue[at]['steps'], 'step')}"
    at_onset = {"id": run, "step": str(found.incident["onset"] + 1)}
    st.page_link(nav.trajectory(), label=link, icon=":material/timeline:", query_params=at_onset)


def _upcoming(queue: list[Summary], at: int) -> None:
    coming = queue[at + 1 : at + 1 + NEXT]
    if not coming:
        return
    st.subheader("Next in the queue")
    opened = run_list(rows(coming, source.taxonomy()), key="queue")
    if opened is not None:
        _stand(queue, at + 1 + opened)
        st.rerun()
