"""What waits for a person's word, the rules that spare him some, and what is learned from him."""

from __future__ import annotations

import streamlit as st

from dashboard import source
from dashboard.views import learned, queue, rules

PARTS = {"Queue": queue.render, "Suppression rules": rules.render, "Learned": learned.render}


def render() -> None:
    """Draws the part that is open; the others are fetched when opened."""
    tabs = st.tabs(list(PARTS), key="part", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, PARTS.values(), strict=True):
        if tab.open:
            with tab, source.shown_errors():
                draw()
