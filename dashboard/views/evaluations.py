"""What guards scored on labelled rows: runs side by side with their intervals, then one run down to its rows.

Invariant: which runs, and which of them is looked into, live in the address; scores are `atbench report`'s own.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Evaluation
from dashboard import reports, source
from dashboard.components import reliability, scores, table

MOST = 4
_ROWS = 50
_KINDS = ("Errors", "Missed", "False alarms", "Not evaluated", "All rows")


def render() -> None:
    """Draws the page."""
    with source.shown_errors():
        found = source.client().evaluations()
        if not found["configured"]:
            _unset()
            return
        readable = [each for each in found["items"] if "problem" not in each]
        if not readable:
            st.info("No run folder is there yet. Make one; it appears here.", icon=":material/folder_open:")
            st.code("atbench run rows.jsonl --guard embedded --out runs/embedded", language="bash")
        _problems(found["items"])
        if readable:
            _runs(readable)


def _unset() -> None:
    st.info("The sidecar was not told where run folders are.", icon=":material/folder_off:")
    st.text("Point this setting at a folder of them, start the sidecar again, and judge some labelled rows:")
    st.code(
        "export AGENTDOG_UI__RUNS=$PWD/runs\natbench run rows.jsonl --guard embedded --out runs/embedded",
        language="bash",
    )


def _problems(items: list[Evaluation]) -> None:
    bad = [each for each in items if "problem" in each]
    if bad:
        with st.expander(f"{wording.plural(len(bad), 'folder')} cannot be read", icon=":material/warning:"):
            lines = [[wording.visible(each["name"]), wording.visible(each["problem"])] for each in bad]
            table(["Folder", "Why"], lines, key="problems")


def _runs(readable: list[Evaluation]) -> None:
    lines = [
        [
            {"text": wording.visible(each["name"]), "kind": "mono"},
            wording.visible(each.get("data", "")),
            wording.visible(each.get("guard", "")),
            each.get("mode", ""),
            {"text": f"{each.get('rows', 0):,}", "number": True},
            wording.when(each["changed"]),
        ]
        for each in readable
    ]
    with st.expander(wording.plural(len(readable), "kept run"), icon=":material/folder:"):
        table(["Run", "Data", "Guard", "Mode", "Answers", "Changed"], lines, key="kept")
    names = [each["name"] for each in readable]
    picked = st.multiselect(
        "Runs, side by side",
        names,
        default=names[:1],
        max_selections=MOST,
        key="runs",
        bind="query-params",
        format_func=wording.visible,
    )
    if not picked:
        st.caption("Choose a run, or several to compare.")
        return
    api = source.client()
    with st.spinner("Scores and intervals are computed once per run…"):
        found = {name: api.evaluation(name) for name in picked}
    scores(reports.side_by_side(found), key="scores")
    st.caption(
        "Unsafe is the positive class; a row that was not evaluated counts as the wrong class. Bars are 95 % "
        "intervals, resampled by group."
    )
    into = picked[0]
    if len(picked) > 1:
        into = (
            st.segmented_control(
                "Look into", picked, default=picked[0], required=True, key="into", format_func=wording.visible
            )
            or picked[0]
        )
    _run(into, found[into])


def _run(name: str, report: dict[str, Any]) -> None:
    for caveat in report["caveats"]:
        st.text(wording.visible(f"To know: {caveat}"))
    reliability(reports.plots(report), key=f"plots {name}")
    best = _best(report)
    if best:
        st.caption(best)
    if report["axes"]:
        st.subheader("Where, how and what")
        heads = ["Axis", "Unsafe rows", "Named right", "Detected and named right", "Among three", "Majority"]
        table(heads, reports.axes(report, source.taxonomy()), key=f"axes {name}")
        with st.expander("Label by label", icon=":material/label:"):
            for axis in report["labels"]:
                lines = reports.labels(report, axis, source.taxonomy())
                table(
                    [axis.replace("_", " ").capitalize(), "Gold", "Given", "Right", "Precision"],
                    lines,
                    key=f"{axis} {name}",
                )
    _rows(name, report)


def _best(report: dict[str, Any]) -> str:
    held = {
        base: found["f1"]["value"] for base, found in report["baselines"].items() if found["f1"]["value"] is not None
    }
    if not held:
        return ""
    base = max(held, key=lambda each: held[each])
    return f"The best shortcut that judges nothing ({base}) reaches an F1 of {held[base]:.3f} here."


def _rows(name: str, report: dict[str, Any]) -> None:
    st.subheader("Rows")
    kind = st.segmented_control(
        "Rows", _KINDS, default="Errors", required=True, key="rows", bind="query-params", label_visibility="collapsed"
    )
    picked = reports.chosen(report["rows"], kind or "Errors")
    if not picked:
        st.caption("None.")
        return
    pages = -(-len(picked) // _ROWS)
    page = int(st.number_input("Page", 1, pages, 1, key=f"page {name} {kind}")) if pages > 1 else 1
    shown = picked[(page - 1) * _ROWS : page * _ROWS]
    heads = ["Row", "Annotated", "Guard", "P(unsafe)", "Annotated at", "First alarm", "Not evaluated since"]
    chosen = table(heads, [reports.line(row) for row in shown], key=f"rows {name} {kind} {page}")
    st.caption(f"{wording.plural(len(picked), 'row')}; the surest errors first.")
    if chosen is not None:
        st.session_state["evaluation row"] = (name, shown[chosen]["id"])
    kept = st.session_state.get("evaluation row")
    if kept and kept[0] == name:
        _row(name, str(kept[1]))


def _row(name: str, row_id: str) -> None:
    kept = source.client().evaluation_row(name, row_id)
    with st.container(border=True, key="row"):
        st.subheader("One row, step by step")
        st.text(wording.visible(row_id))
        heads = ["Step", "Verdict", "P(unsafe)", "Where, how, what", "What it rests on"]
        table(heads, reports.verdicts(kept, source.taxonomy()), key=f"row {name} {row_id}")
