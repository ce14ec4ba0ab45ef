"""All runs, narrowed by filters, page by page; chosen ones are reviewed and exported together.

Invariant: the filters live in the address (`dashboard.narrowed`), so a filtered list can be shared and survives a
reload; a page is asked for by the cursor of the one before, and no more than a page is ever held.
"""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from agentdog.client.shapes import Page
from dashboard import narrowed, nav, source
from dashboard.components import choosing_list
from dashboard.rows import rows
from dashboard.views import bulk, empty, narrow

PAGE_ROWS = 25
_CURSORS = "trajectories cursors"
_FILTERS = "trajectories filters"


def render() -> None:
    """Draws filters, list and paging."""
    with source.shown_errors():
        chosen = narrow.chosen()  # first of all: where nobody answers, that is said once
        narrow.bar()
        cursors: list[str | None] = st.session_state.setdefault(_CURSORS, [None])
        if st.session_state.get(_FILTERS) != chosen:  # another filter begins at its newest run
            st.session_state[_FILTERS] = chosen
            cursors[:] = [None]
        query = narrowed.asked(chosen, datetime.now(UTC))
        page = source.client().trajectories(**query, limit=PAGE_ROWS, cursor=cursors[-1])
        if page["items"]:
            _list(page, cursors, query)
        elif chosen:
            st.info("No run matches these filters. Take one of them out to see more.", icon=":material/filter_alt:")
        else:
            empty.no_runs()
        bulk.dialogs()


@st.fragment
def _list(page: Page, cursors: list[str | None], query: dict[str, str]) -> None:
    with source.shown_errors():  # what a fragment raises is caught before the page's own
        shown = rows(page["items"], source.taxonomy())
        listed = choosing_list(shown, "trajectories", chosen=bulk.chosen(), epoch=bulk.epoch())
        if listed.opened is not None:
            nav.open_row(shown[listed.opened])
        if listed.chosen is not None:
            bulk.choose(page["items"], listed.chosen)
        if listed.act is not None:
            bulk.act(listed.act, query)
    if not page.get("next") and len(cursors) == 1:
        return
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        if st.button("Newer", disabled=len(cursors) == 1, icon=":material/arrow_back:"):
            cursors.pop()
            st.rerun()
        if st.button("Older", disabled=not page.get("next"), icon=":material/arrow_forward:", icon_position="right"):
            cursors.append(page.get("next"))
            st.rerun()
