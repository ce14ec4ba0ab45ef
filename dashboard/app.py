"""The dashboard's script: ``streamlit run`` starts here.

Invariant: it only lays out the frame; each page is a module of `dashboard.views`.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import nav, source

WIDTH_PX = 1240
#: Files, as Streamlit fetches the picture of a Material icon from elsewhere when it is used as the page's icon.
ASSETS = Path(__file__).parent / "assets"


def main() -> None:
    """Draws the frame and the page that the address asks for."""
    st.set_page_config(page_title="agentdog", page_icon=str(ASSETS / "mark.svg"), layout="wide")
    st.logo(str(ASSETS / "logo.svg"), size="large")
    if not source.let_in():
        return
    page = st.navigation(nav.pages(), position="top")
    asked = st.query_params.get("q")
    if asked and page.url_path != nav.trajectory().url_path:
        st.switch_page(nav.trajectory(), query_params={"q": asked})
    with (
        st.container(horizontal=True, horizontal_alignment="center"),
        st.container(width=WIDTH_PX, key="frame"),
    ):
        nav.top(page)
        page.run()


main()
