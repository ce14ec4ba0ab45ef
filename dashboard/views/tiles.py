"""A few figures beside each other, each in a box of its own; on a narrow screen in two columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st


class Tile(NamedTuple):
    """One figure: what it is, how much, and what helps to read it."""

    name: str
    value: str
    icon: str | None = None
    help: str | None = None


def draw(tiles: Sequence[Tile]) -> None:
    """Draws them in their order."""
    with st.container(horizontal=True, gap="small"):
        for tile in tiles:
            st.metric(tile.name, tile.value, icon=tile.icon, help=tile.help, border=True)
