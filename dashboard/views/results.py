"""What a search found: one run opens at once, several are listed with the words around, none says what to try."""

from __future__ import annotations

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Hit
from dashboard import nav, source
from dashboard.components import run_list
from dashboard.rows import Row, row

LIMIT = 30
_WHERE = {"user": "The user says", "evidence": "Evidence", "incident": "Incident", "id": ""}


def render(query: str) -> str | None:
    """Shows what was found; returns the id to draw when it is one run."""
    found = source.client().search(query, limit=LIMIT)
    hits = found["hits"]
    if not hits:
        unknown(query)
        return None
    if hits[0]["kind"] == "id":
        return query
    if len(hits) == 1:
        nav.open_run(hits[0]["summary"]["id"], hits[0].get("step"))
    st.subheader(
        f"{wording.plural(len(hits), 'run')} found" + (f" of {found['total']:,}" if found["total"] > len(hits) else "")
    )
    st.text(f"Every word stands in the title, in what the user says, or in evidence: {wording.visible(query)}")
    rows = [_row(hit) for hit in hits]
    opened = run_list(rows, key="found")
    if opened is not None:
        nav.open_row(rows[opened])
    return None


def _row(hit: Hit) -> Row:
    shown = row(hit["summary"], source.taxonomy(), step=hit.get("step"))
    step = hit.get("step")
    where = _WHERE[hit["kind"]] + (f", step {step + 1}" if step is not None else "")
    shown["note"] = wording.visible(f"{where}: {hit.get('excerpt', '')}")
    return shown


def unknown(wanted: str) -> None:
    """Says that nothing was found, and what to try."""
    st.warning("No run is known by that id, and none holds these words.", icon=":material/search_off:")
    st.text(wording.visible(wanted))
    st.markdown(
        "It may not have arrived yet, or it was removed. Any trace, span, session or tool-call id works; words are "
        "looked for in titles, in what users say, and in evidence. The last word may be the beginning of one."
    )
    st.page_link(nav.trajectories(), label="Look through all runs", icon=":material/list:")


def ask() -> None:
    """Asks which run."""
    st.subheader("Which run?")
    st.markdown("Type any id, or some words, in the box above, or choose a run from the list.")
    st.page_link(nav.trajectories(), label="All runs", icon=":material/list:")
