"""The bar over the list: filters and saved views, each behind a button, and what is filtered by as chips.

Invariants: the filters live in the address alone; what is behind a button is neither drawn nor asked for before it is
opened, so that the list is there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import streamlit as st

from agentdog.client import ClientError, wording
from agentdog.client.shapes import ViewFilters
from dashboard import narrowed, reviewer, source
from dashboard.narrowed import HEADINGS

_FILTERS, _VIEWS, _ORDERS = "filters open", "views open", "orders open"
_CHANGED = "filters changed"
_NAME, _REPLACE, _REFUSED = "view name", "view replace", "view refused"
_CUSTOM = "custom"
_KEY = "filter "


def chosen() -> dict[str, str]:
    """Returns the filters that the address names."""
    return narrowed.read(st.query_params.to_dict(), source.taxonomy())


@st.fragment
def bar() -> None:
    """Draws the buttons and the chips; the page runs again when a filter changes, not when a button is opened."""
    if st.session_state.pop(_CHANGED, False):
        st.rerun()
    with source.shown_errors(), st.container(horizontal=True, vertical_alignment="center", gap="small"):
        given = chosen()
        filters = st.popover("Filters", icon=":material/filter_alt:", key=_FILTERS, on_change="rerun")
        if filters.open:
            with filters, st.container(width=560):
                _filters(given)
        views = st.popover("Saved views", icon=":material/bookmark:", key=_VIEWS, on_change="rerun")
        if views.open:
            with views, st.container(width=420):
                _views(given)
        for name, value in given.items():
            if name in HEADINGS:
                said = f"{HEADINGS[name]}: {narrowed.worded(name, value, source.taxonomy())}"
                st.button(
                    _plain(said), key=f"without {name}", icon=":material/close:", on_click=_put, args=({name: ""},)
                )
        if len(given.keys() & HEADINGS.keys()) > 1:
            st.button("Clear all", type="tertiary", key="clear", on_click=_put, args=(dict.fromkeys(HEADINGS, ""),))
        st.space("stretch")
        order = narrowed.order_of(given)
        said = narrowed.ORDERS.get(order, "Order")
        orders = st.popover(said, icon=":material/swap_vert:", type="tertiary", key=_ORDERS, on_change="rerun")
        if orders.open:
            with orders:
                _orders(order)


def _orders(order: tuple[str, str]) -> None:
    options = list(narrowed.ORDERS)
    st.radio(
        "Order",
        options,
        index=options.index(order) if order in options else None,
        format_func=narrowed.ORDERS.__getitem__,
        key="order",
        label_visibility="collapsed",
        on_change=_reordered,
    )


def _reordered() -> None:
    _put(narrowed.ordered(st.session_state["order"]))
    st.session_state[_ORDERS] = False


def _plain(text: str, most: int = 80) -> str:
    """A button's label is Markdown: what others wrote is escaped, on one line, and bounded."""
    line = " ".join(text.split())
    short = line if len(line) <= most else line[: most - 1] + "…"
    return "".join(f"\\{char}" if not (char.isalnum() or char == " ") and char.isascii() else char for char in short)


def _put(change: dict[str, str]) -> None:
    """Changes the address; an empty value takes a filter out."""
    for name, value in change.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)
    st.session_state[_CHANGED] = True


def _filters(given: dict[str, str]) -> None:
    taxonomy = source.taxonomy()
    words = narrowed.words_of(taxonomy)
    left, right = st.columns(2)
    with left:
        _choice("verdict", "Verdict", list(narrowed.VERDICTS), words, given)
        for axis in taxonomy["axes"]:
            _choice(axis["id"], f"{axis['question']}: {axis['name'].lower()}", list(words[axis["id"]]), words, given)
        _choice("reviewed", "Reviewed", list(narrowed.REVIEWED), words, given)
    with right:
        _choice("project", "Project", sorted(source.client().projects()["projects"]), words, given)
        names = source.client().names(project=given.get("project"))
        for name in ("agent", "tool"):
            _choice(name, HEADINGS[name], list(names[f"{name}s"]), words, given)  # type: ignore[literal-required]
        _choice("open", "Incidents", list(narrowed.OPEN), words, given)
        _when(given)


def _choice(
    name: str, heading: str, options: list[str], words: dict[str, dict[str, str]], given: dict[str, str]
) -> None:
    value = given.get(name)
    if value is not None and value not in options:
        options = [*options, value]
    st.selectbox(
        heading,
        options,
        index=options.index(value) if value is not None else None,
        key=_KEY + name,
        placeholder="Any",
        format_func=lambda each: words.get(name, {}).get(each) or wording.visible(each),
        on_change=_picked,
        args=(name,),
    )


def _picked(name: str) -> None:
    _put({name: st.session_state[_KEY + name] or ""})


def _when(given: dict[str, str]) -> None:
    options = [*narrowed.LAST, _CUSTOM]
    fixed = "from" in given or "until" in given
    value = given.get("last") or (_CUSTOM if fixed or st.session_state.get(_KEY + "last") == _CUSTOM else None)
    if value is not None and value not in options:
        options.append(value)
    taxonomy = source.taxonomy()
    st.selectbox(
        "When",
        options,
        index=options.index(value) if value is not None else None,
        key=_KEY + "last",
        placeholder="Any time",
        format_func=lambda each: "Between two times" if each == _CUSTOM else narrowed.worded("last", each, taxonomy),
        on_change=_spanned,
    )
    if value != _CUSTOM:
        return
    for name, heading in (("from", "Not before (UTC)"), ("until", "Not after (UTC)")):
        st.datetime_input(
            heading,
            value=_naive(given.get(name)),
            key=_KEY + name,
            format="YYYY-MM-DD",
            on_change=_timed,
            args=(name,),
        )


def _spanned() -> None:
    value = st.session_state[_KEY + "last"] or ""
    if value != _CUSTOM:
        _put({"last": value, "from": "", "until": ""})
    else:
        _put({"last": ""})


def _timed(name: str) -> None:
    value: datetime | None = st.session_state[_KEY + name]
    _put({name: value.isoformat(timespec="minutes") if value else ""})


def _naive(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, second=0, microsecond=0) if text else None
    except ValueError:
        return None


def _views(given: dict[str, str]) -> None:
    """Lists what was saved, and saves what the list shows now."""
    found = source.client().saved_views()
    current = narrowed.kept(given)
    if not found:
        st.caption("No view yet. Choose filters, and save them under a name for everybody here.")
    for at, view in enumerate(found):
        row = st.container(horizontal=True, vertical_alignment="center", gap="small")
        here = view["filters"] == current
        row.button(
            _plain(view["name"]),
            key=f"view {at}",
            type="primary" if here else "secondary",
            width="stretch",
            help=_plain(_told(view["filters"], view["author"]), 400),
            on_click=_show,
            args=(dict(view["filters"]),),
        )
        row.button(
            "",
            icon=":material/delete:",
            type="tertiary",
            key=f"delete view {at}",
            help="Delete this view",
            on_click=_delete,
            args=(view["name"], view["filters"].get("project")),
        )
    with st.form("save view", border=False, clear_on_submit=True):
        st.text_input("Save what is shown as", max_chars=120, placeholder="A name", key=_NAME)
        st.checkbox("Replace the view of that name", key=_REPLACE)
        st.form_submit_button("Save", icon=":material/bookmark_add:", on_click=_save, args=(current,))
    refused = st.session_state.pop(_REFUSED, None)
    if refused is not None:
        with source.shown_errors():
            raise refused


def _save(filters: ViewFilters) -> None:
    name = str(st.session_state[_NAME]).strip()
    if name:
        api, replace = source.client(), bool(st.session_state[_REPLACE])
        _tried(lambda: api.save_view(name, filters, author=reviewer.name(), replace=replace))


def _delete(name: str, project: str | None) -> None:
    _tried(lambda: source.client().delete_view(name, project=project))


def _tried(act: Callable[[], object]) -> None:
    """Does something in a callback, where nothing can be drawn: what goes wrong is shown with the views."""
    try:
        act()
    except ClientError as error:
        st.session_state[_REFUSED] = error


def _told(filters: Any, author: str) -> str:  # noqa: ANN401 - a view's filters, any of them
    shown = narrowed.address(filters)
    parts = [
        f"{heading}: {narrowed.worded(name, shown[name], source.taxonomy())}"
        for name, heading in HEADINGS.items()
        if name in shown
    ]
    if "sort" in shown or "order" in shown:
        parts.append(narrowed.ORDERS.get(narrowed.order_of(shown), ""))
    return f"{', '.join(parts) or 'All runs'}. Saved by {wording.visible(author)}."


def _show(filters: dict[str, Any]) -> None:
    address = narrowed.address(filters)  # type: ignore[arg-type]
    _put(dict.fromkeys((*HEADINGS, "sort", "order"), "") | address)
    st.session_state[_VIEWS] = False
