"""The dashboard's own drawing: a few trusted components that get untrusted text as data and set ``textContent`` only.

Invariant: HTML, CSS and JavaScript come from this package's files alone; what the API answers goes through ``data``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from dashboard.rows import Row

_HERE = Path(__file__).parent
#: Scripts that a component's own is read behind.
_PARTS = {"story": ("beside.js",)}


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _component(name: str, *, like: str = "") -> ComponentRenderer:
    """Registers a component once per process: two components of one name are a warning in Streamlit.

    Args:
        name: of its files.
        like: name of another whose look it shares.
    """
    styles = [f"{each}.css" for each in (like, name) if each]
    return st.components.v2.component(
        f"agentdog.{name}",
        html='<div class="root"></div>',
        css=_read("base.css") + "".join(_read(style) for style in styles if (_HERE / style).exists()),
        js=_read("dom.js") + "".join(map(_read, _PARTS.get(name, ()))) + _read(f"{name}.js"),
    )


def run_list(rows: Sequence[Row], key: str) -> int | None:
    """Draws runs as a list of links; returns the place in the list of the run that was just clicked."""
    result = _component("rows")(data={"rows": list(rows)}, key=key, on_opened_change=_nothing)
    return None if result.opened is None else int(result.opened)


class Masthead(NamedTuple):
    """What was just asked of the top of a page: words or an id to look for; to go back."""

    asked: str | None
    back: bool


def masthead(title: str, back: tuple[str, str] | None) -> Masthead:
    """Draws a page's name, or the way back (its words and where it leads), and the box that finds runs."""
    way = {"text": back[0], "href": back[1]} if back else None
    data = {"title": title, "back": way}
    result = _component("masthead")(data=data, key="masthead", on_asked_change=_nothing, on_back_change=_nothing)
    return Masthead(str(result.asked) if result.asked else None, result.back is not None)


class Listed(NamedTuple):
    """What just happened to a list.

    Attributes:
        opened: place of the run that was clicked.
        chosen: ids of the runs of the page that are chosen now; nothing where that did not change.
        act: what is to be done with runs, of `ACTS`.
    """

    opened: int | None
    chosen: list[str] | None
    act: str | None


#: What a list in which runs can be chosen asks for, with the words.
ACTS = {"all": "All that match", "none": "None", "export": "Export…", "review": "Review…"}


def choosing_list(rows: Sequence[Row], key: str, *, chosen: Collection[str], epoch: int) -> Listed:
    """Draws runs as a list in which some can be chosen, and what can be done with them.

    Args:
        rows: of one page.
        key: of the component on its page.
        chosen: ids of those that are chosen; taken up with another `epoch` or other rows only, since in between the
            reader may be ahead of what was sent.
        epoch: counts how often the page itself changed what is chosen.
    """
    here = [row["id"] for row in rows if row["id"] in chosen]
    data = {"rows": list(rows), "chosen": here, "elsewhere": len(chosen) - len(here), "epoch": epoch, "acts": ACTS}
    result = _component("rows")(
        data=data, key=key, on_opened_change=_nothing, on_choice_change=_nothing, on_act_change=_nothing
    )
    opened = None if result.opened is None else int(result.opened)
    choice, act = result.choice, result.act
    # What is asked for says itself what is chosen: it may come before the choice did.
    told = act or choice
    if not told or not {row["id"] for row in rows}.issuperset(told["page"]):
        return Listed(opened, None, None)
    return Listed(opened, [str(each) for each in told["chosen"]], str(act["what"]) if act else None)


def run_story(story: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Draws one run; returns what the reader just asked for (another window of steps, a whole text, …)."""
    asked: dict[str, Any] | None = _component("story")(data=story, key=key, on_ask_change=_nothing).ask
    return asked


def case(told: dict[str, Any], key: str) -> int | None:
    """Draws one incident with the steps that matter; returns the index of the step that was just clicked."""
    chosen = _component("case", like="story")(data=told, key=key, on_step_change=_nothing).step
    return None if chosen is None else int(chosen)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], key: str) -> int | None:
    """Draws a table; returns the place of the row that was just clicked.

    Args:
        columns: their headings.
        rows: cells: text, or ``{"text", "kind"?, "bar"?, "number"?}``, where `kind` is a verdict's, ``link`` or
            ``mono``, and `bar` a share in [0, 1].
        key: of the component on its page.
    """
    data = {"columns": list(columns), "rows": [list(row) for row in rows]}
    chosen = _component("table")(data=data, key=key, on_chosen_change=_nothing).chosen
    return None if chosen is None else int(chosen)


def flow(laid_out: dict[str, Any], key: str) -> dict[str, str] | None:
    """Draws where → how → what; returns the axis and id of the label that was just clicked."""
    chosen: dict[str, str] | None = _component("flow")(data=laid_out, key=key, on_chosen_change=_nothing).chosen
    return chosen


def heat(counts: dict[str, Any], key: str) -> str | None:
    """Draws labels over time; returns the id of the label that was just clicked."""
    chosen = _component("heat")(data=counts, key=key, on_chosen_change=_nothing).chosen
    return None if chosen is None else str(chosen)


def strips(told: Sequence[dict[str, Any]], key: str) -> None:
    """Draws rates and latency over the last minutes."""
    _component("strips")(data={"strips": list(told)}, key=key)


def scores(told: dict[str, Any], key: str) -> None:
    """Draws scores with their intervals, of one run or of several side by side."""
    _component("scores")(data=told, key=key)


def reliability(told: dict[str, Any], key: str) -> None:
    """Draws a run's confusion and what its probabilities are worth."""
    _component("reliability")(data=told, key=key)


def compared(pair: dict[str, Any], key: str) -> None:
    """Draws two runs side by side."""
    _component("compared")(data=pair, key=key)


def pulse(every_s: float, key: str) -> None:
    """Runs the fragment that it stands in again and again, but not while a reader is about to go elsewhere."""
    _component("pulse")(data={"every_ms": every_s * 1000}, key=key, on_beat_change=_nothing)


def _nothing() -> None:
    """A trigger needs a callback to be declared; the value is read from the result."""
