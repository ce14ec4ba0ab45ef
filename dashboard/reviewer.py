"""Who reviews: a name that is kept for the visit. Where the API asks for tokens, the token's name holds instead."""

from __future__ import annotations

import streamlit as st

_NAME, _BOX = "reviewer", "reviewer_box"
NOBODY = "someone"


def name() -> str:
    """Returns the name that reviews are signed with."""
    return given() or NOBODY


def given() -> str:
    """Returns the name that somebody gave; ``""`` where nobody did."""
    return str(st.session_state.get(_NAME, ""))


def keep(name: str) -> None:
    """Keeps a name for the visit."""
    st.session_state[_NAME] = name.strip()


def ask() -> None:
    """Draws the box for the name."""
    st.session_state.setdefault(_BOX, given())
    st.text_input(
        "Your name",
        key=_BOX,
        max_chars=200,
        placeholder="Your name, to sign with",
        label_visibility="collapsed",
        icon=":material/person:",
        on_change=_named,
    )


def _named() -> None:
    keep(st.session_state[_BOX])
