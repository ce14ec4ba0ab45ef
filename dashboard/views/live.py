"""What goes on now: counts, rates and latency, newest incidents, running and latest runs.

Invariant: the feed is polled by a cursor and the lists are asked for again only when something happened, so an idle
page costs two small requests per tick, and the page as a whole never runs again by itself.
"""

from __future__ import annotations

from typing import TypedDict

import streamlit as st

from agentdog.client import InvalidRequest
from agentdog.client.shapes import FeedPage, Summary
from dashboard import nav, source
from dashboard.components import pulse, run_list, strips
from dashboard.rows import rows
from dashboard.strips import strips as worded
from dashboard.views import empty, tiles
from dashboard.views.tiles import Tile

EVERY_S, RATES_S = 2.0, 5.0
INCIDENTS, RECENT = 6, 50
SHOWN_RECENT = 10
_STATE = "live"


class _Seen(TypedDict):
    """What the last look showed."""

    cursor: str
    incidents: list[Summary]
    recent: list[Summary]
    counts: dict[str, int]


def render() -> None:
    """Draws the page; the parts that change are fragments with clocks of their own."""
    _now()


@st.fragment
def _now() -> None:
    pulse(EVERY_S, key="live pulse")
    with st.container(key="still"), source.shown_errors():  # a look that takes long does not make it fade
        seen = _look(st.session_state.get(_STATE))
        st.session_state[_STATE] = seen
        if not seen["recent"]:
            empty.no_runs()
            return
        _counts(seen["counts"])
        _rates()
        _section("Newest incidents", seen["incidents"], "No incident so far.")
        going = [run for run in seen["recent"] if run["completion"] == "open"]
        _section("Running now", going, "Nothing is running.")
        _section("Latest runs", seen["recent"][:SHOWN_RECENT], "")


@st.fragment
def _rates() -> None:
    pulse(RATES_S, key="rates pulse")
    with source.shown_errors():
        strips(worded(source.client().rates()), key="rates")


def _look(before: _Seen | None) -> _Seen:
    """Asks what happened; keeps what was seen before when nothing did."""
    feed = _feed(before["cursor"] if before else None)
    if before and not feed["events"]:
        return before
    api = source.client()
    counts: dict[str, int] = {}
    for by_verdict in api.projects()["projects"].values():
        for verdict, count in by_verdict.items():
            counts[verdict] = counts.get(verdict, 0) + count
    return {
        "cursor": feed["cursor"],  # taken before the lists: what happens in between is seen again, never missed
        "incidents": api.trajectories(verdict="unsafe", limit=INCIDENTS)["items"],
        "recent": api.trajectories(limit=RECENT)["items"],
        "counts": counts,
    }


def _feed(cursor: str | None) -> FeedPage:
    try:
        return source.client().events(cursor, limit=1000)
    except InvalidRequest:  # a cursor of an earlier store: begin where the feed stands now
        return source.client().events()


def _counts(counts: dict[str, int]) -> None:
    names = (
        ("unsafe", "Unsafe", ":material/warning:"),
        ("not_evaluated", "Not evaluated", ":material/help:"),
        ("safe", "Safe", ":material/check_circle:"),
        ("pending", "Pending", ":material/hourglass_empty:"),
    )
    tiles.draw([Tile(word, f"{counts.get(verdict, 0):,}", icon) for verdict, word, icon in names])


def _section(heading: str, runs: list[Summary], nothing: str) -> None:
    st.subheader(heading)
    if not runs:
        st.caption(nothing)
        return
    shown = rows(runs, source.taxonomy())
    opened = run_list(shown, key=f"live {heading}")
    if opened is not None:
        nav.open_row(shown[opened])
