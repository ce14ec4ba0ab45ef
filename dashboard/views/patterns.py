"""What repeats: where → how → what, labels over time, the tools and agents it happens with, cases much the same.

Invariant: what is chosen (project, span of time, axis) lives in the address; every figure leads to its runs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Busy, Patterns, TaxonomyAxis
from dashboard import filters, nav, source
from dashboard.components import flow, heat, run_list, table
from dashboard.flows import sankey
from dashboard.rows import row
from dashboard.views import empty, tiles
from dashboard.views.tiles import Tile

_SPANS = {"24 hours": 1, "7 days": 7, "30 days": 30, "All time": None}
_PARTS, _CASES, _BUSY = 24, 10, 12
_UNSAFE = wording.VERDICT_WORDS["unsafe"]


def render() -> None:
    """Draws the page."""
    left, right = st.columns([2, 3])
    with source.shown_errors():
        with left:
            project = filters.project()
        with right:
            span = st.segmented_control(
                "Time",
                list(_SPANS),
                default="All time",
                required=True,
                key="span",
                bind="query-params",
                label_visibility="collapsed",
            )
        days = _SPANS.get(span or "All time")
        since = (datetime.now(UTC) - timedelta(days=days)).isoformat() if days else None
        found = source.client().patterns(project=project, since=since, buckets=_PARTS)
        if not sum(found["verdicts"].values()):
            if days:
                st.info("No run began in this time. Choose a longer one.", icon=":material/schedule:")
            else:
                empty.no_runs()
            return
        _counts(found)
        if not found["read"]:
            st.info("No run with an open or confirmed incident here: nothing repeats.", icon=":material/task_alt:")
            return
        _draw(found, project)


def _counts(found: Patterns) -> None:
    total = sum(found["verdicts"].values())
    unsafe = found["verdicts"].get("unsafe", 0)
    tiles.draw(
        [
            Tile("Runs", f"{total:,}"),
            Tile("Unsafe", f"{unsafe:,}"),
            Tile("Share unsafe", wording.percent(unsafe / total)),
            Tile("Not evaluated", f"{found['verdicts'].get('not_evaluated', 0):,}"),
        ]
    )
    if found["read"] < unsafe:
        st.caption(f"Counts are exact; flows, tools and cases are of the newest {found['read']:,} unsafe runs.")


def _draw(found: Patterns, project: str | None) -> None:
    taxonomy = source.taxonomy()
    st.subheader("Where it comes from, how the agent fails, what harm follows")
    chosen = flow(sankey(found["flows"], taxonomy), key="flow")
    if chosen is not None:
        _runs(str(chosen["axis"]), str(chosen["id"]), project)
    axes = {axis["question"]: axis for axis in taxonomy["axes"]}
    st.subheader("Over time")
    asked = st.segmented_control(
        "Axis",
        list(axes),
        default="Where",
        required=True,
        key="axis",
        bind="query-params",
        label_visibility="collapsed",
    )
    axis = axes.get(asked or "Where", taxonomy["axes"][0])
    label = heat(_heat(found, axis), key=f"heat {axis['id']}")
    if label is not None:
        _runs(axis["id"], label, project)
    left, right = st.columns(2)
    with left:
        _busy("Tools", "tool", found["tools"], project)
    with right:
        _busy("Agents", "agent", found["agents"], project)
    _cases(found)


def _heat(found: Patterns, axis: TaxonomyAxis) -> dict[str, Any]:
    taxonomy = source.taxonomy()
    counts = found["heat"].get(axis["id"], {})
    begins = [*found["buckets"], found["until"]]
    return {
        "parts": [f"{wording.when(a)} to {wording.when(b)}" for a, b in pairwise(begins)],
        "from": wording.when(found["since"]),
        "until": wording.when(found["until"]),
        "rows": [
            {
                "id": label,
                "name": wording.visible(wording.label_name(taxonomy, axis["id"], label)),
                "counts": numbers,
                "total": sum(numbers),
            }
            for label, numbers in sorted(counts.items(), key=lambda each: (-sum(each[1]), each[0]))
        ],
    }


def _busy(heading: str, kind: str, busy: list[Busy], project: str | None) -> None:
    st.subheader(heading)
    if not busy:
        st.caption(f"No unsafe run names {'a tool' if kind == 'tool' else 'an agent'}.")
        return
    shown = busy if st.session_state.get(f"all {kind}") else busy[:_BUSY]
    lines = [
        [
            {"text": wording.visible(each["name"]), "kind": "link"},
            {
                "text": f"{each['unsafe']:,} of {each['runs']:,}",
                "bar": each["unsafe"] / max(each["runs"], 1),
                "kind": "unsafe",
            },
        ]
        for each in shown
    ]
    place = table([kind.capitalize(), "Unsafe runs of all its runs"], lines, key=f"busy {kind}")
    if len(shown) < len(busy):
        words = f"Show all {len(busy):,} {kind}s"
        st.button(words, key=f"show {kind}", on_click=_show_all, args=(kind,), type="tertiary")
    if place is not None:
        _go({kind: busy[place]["name"], "verdict": _UNSAFE}, project)


def _show_all(kind: str) -> None:
    st.session_state[f"all {kind}"] = True


def _cases(found: Patterns) -> None:
    repeated = [case for case in found["cases"] if case["count"] > 1][:_CASES]
    st.subheader("Again and again")
    if not repeated:
        st.caption("No two unsafe runs are much the same.")
        return
    st.caption("Runs with the same labels, tools, agents and request, but for its numbers. Each opens its newest.")
    shown = []
    for case in repeated:
        line = row(case["examples"][0], source.taxonomy())
        line["note"] = f"{case['count']:,} times, {wording.when(case['first'])} to {wording.when(case['last'])}"
        shown.append(line)
    opened = run_list(shown, key="cases")
    if opened is not None:
        nav.open_row(shown[opened])


def _runs(axis: str, label: str, project: str | None) -> None:
    _go({axis: wording.label_name(source.taxonomy(), axis, label), "verdict": _UNSAFE}, project)


def _go(chosen: dict[str, str], project: str | None) -> None:
    """Opens the list of runs, filtered; filters are in the address by the words that people choose."""
    st.switch_page(nav.trajectories(), query_params={**chosen, **({"project": project} if project else {})})
