"""A page in parts, one tab each; which is open lives in the address.

Invariant: only the open part is drawn, so that the others cost no request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from dashboard import source


def draw(parts: Mapping[str, Callable[[], None]]) -> None:
    """Draws the part that is open; an API that does not answer is said in its place."""
    tabs = st.tabs(list(parts), key="part", on_change="rerun", bind="query-params")
    for tab, part in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab, source.shown_errors():
                part()
