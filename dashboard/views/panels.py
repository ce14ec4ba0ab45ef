"""What stands below a run and is fetched only when opened: its records, exports, similar cases, a comparison."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from agentdog.client import NotFound, wording
from agentdog.client.shapes import Summary, View
from dashboard import nav, similar, source
from dashboard.changes import change, side_by_side
from dashboard.components import compared, run_list, table
from dashboard.rows import rows
from dashboard.views import dialogs

_RECORDS, _SIMILAR = 200, 8
#: Steps that a comparison reads of each side.
_COMPARED = 300


def render(view: View) -> None:
    """Draws the closed panels; what is in them is asked for when one is opened."""
    run = view["summary"]["id"]
    for label, icon, draw in (
        ("Similar cases", ":material/join_inner:", _similar),
        ("Compare two verdicts", ":material/difference:", _verdicts),
        ("Compare with another run", ":material/compare:", _other),
        ("What people said", ":material/rate_review:", dialogs.history),
        ("Spans and log records", ":material/account_tree:", _records),
        ("Take it along", ":material/ios_share:", _export),
    ):
        panel = st.expander(label, key=f"{label} {run}", on_change="rerun", icon=icon)
        if panel.open:
            with panel, source.shown_errors():
                draw(view)


def _similar(view: View) -> None:
    ranked = similar.rank(view["summary"], _candidates(view["summary"]))[:_SIMILAR]
    if not ranked:
        st.caption("No other run shares a label with this one.")
        return
    shown = rows((summary for summary, _ in ranked), source.taxonomy())
    for line, (_, why) in zip(shown, ranked, strict=True):
        line["note"] = why
    opened = run_list(shown, key="similar")
    if opened is not None:
        nav.open_row(shown[opened])


def _candidates(summary: Summary) -> list[Summary]:
    """Runs that share at least one label, the newest of each; without labels, runs of the same agent."""
    api = source.client()
    found: list[Summary] = []
    labels = {axis: summary.get(axis) for axis in ("risk_source", "failure_mode", "real_world_harm")}
    for axis, label in labels.items():
        if label:
            found += api.trajectories(**{axis: label}, limit=100)["items"]  # type: ignore[arg-type]
    if not found:
        for agent in [name for name in summary["agents"] if name][:1]:
            found += api.trajectories(agent=agent, project=summary["project"], limit=100)["items"]
    return found


def _verdicts(view: View) -> None:
    judged = [index for index, step in enumerate(view["outline"]) if step.get("outcome")]
    if len(judged) < 2:
        st.caption("Fewer than two steps were judged.")
        return
    incidents = view.get("incidents", [])
    onset = incidents[0]["onset"] if incidents else None
    later = judged.index(onset) if onset in judged else len(judged) - 1
    left, right = st.columns(2)
    words = "Step {}".format
    a = left.selectbox("From", judged, index=max(0, later - 1), format_func=lambda i: words(i + 1), key="verdict a")
    b = right.selectbox("To", judged, index=max(1, later), format_func=lambda i: words(i + 1), key="verdict b")
    api, run = source.client(), view["summary"]["id"]
    found = []
    for index in (a, b):
        part = api.view(run, first=index, count=1)
        found += [each["verdict"] for each in part["verdicts"] if each["index"] == index]
    if len(found) == 2:
        told = change(found[0], a + 1, found[1], source.taxonomy())
        lines = told["lines"] if told else [{"text": "Nothing differs: same verdict, same labels, same evidence."}]
        table(["Difference"], [[line["text"]] for line in lines], key="verdict change")


def _other(view: View) -> None:
    other = st.text_input(
        "Another run, by any id in it", key="compare with", placeholder="Trace, span, session or run id"
    )
    if not other:
        st.caption("A run of the same agent that went well shows best where this one left the path.")
        return
    try:
        right = source.client().view(other.strip(), first=0, count=_COMPARED, clip=4000)
    except NotFound:
        st.warning("No run is known by that id.", icon=":material/search_off:")
        return
    left = source.client().view(view["summary"]["id"], first=0, count=_COMPARED, clip=4000)
    pair = side_by_side(left["steps"], right["steps"])
    first = next((line for line in pair if line["kind"] != "same"), None)
    at = (first["left"] or first["right"])["n"] if first else None
    st.caption(f"They part at step {at}." if at else "They say the same at every step.")
    longest = max(len(left["outline"]), len(right["outline"]))
    if longest > _COMPARED:
        st.caption(f"The first {_COMPARED} of {longest:,} steps are compared.")
    heads = [wording.visible(each["summary"]["title"]) for each in (left, right)]
    compared({"heads": heads, "rows": pair}, key="compared")


def _records(view: View) -> None:
    steps = ["The whole run", *(f"Step {index + 1}" for index in range(len(view["outline"])))]
    focus = view.get("focus")
    chosen = st.selectbox("Records of", steps, index=focus + 1 if focus is not None else 0, key="records of")
    step = None if chosen == steps[0] else steps.index(chosen) - 1
    found = source.client().records(view["summary"]["id"], step=step, limit=_RECORDS)
    if not found["records"]:
        st.caption("No records are kept for it: it was imported from a transcript, or its telemetry is gone.")
        return
    if found["total"] > len(found["records"]):
        st.caption(f"The first {len(found['records'])} of {found['total']:,}.")
    table(
        ["What", "Name", "Instrumentation", "Id", "Status"],
        [_record(record) for record in found["records"]],
        key="records",
    )
    _code(found["records"], "records.json")


def _record(record: dict[str, Any]) -> list[str]:
    kind = record.get("kind", "")
    identity = record.get("span_id") or record.get("id", "")
    status = {2: "error", 1: "ok"}.get(record.get("status", 0), "")
    return [
        wording.visible(str(part)) for part in (kind, record.get("name", ""), record.get("scope", ""), identity, status)
    ]


def _export(view: View) -> None:
    kinds = {"JSON, as stored": "json", "ATBench row": "atbench", "Regression case": "regression"}
    chosen = st.segmented_control("As", list(kinds), default="JSON, as stored", key="export as")
    run = view["summary"]["id"]
    if kinds.get(chosen or "") == "atbench":
        row = source.client().export(run, "atbench")
        st.caption(
            "Labels are the guard's (or yours, where you corrected them), not gold: say so where you publish the row."
        )
        _code(row, "row.json")
    elif kinds.get(chosen or "") == "regression":
        st.caption("For `agentdog judge FILE`: it fails until what was wrong is mended.")
        _code(source.client().export(run, "regression"), "case.json")
    else:
        _code(source.client().trajectory(run), "trajectory.json")


def _code(value: Any, name: str) -> None:  # noqa: ANN401 - any JSON
    text = json.dumps(value, ensure_ascii=False, indent=2)
    st.download_button("Download", text, file_name=name, mime="application/json", on_click="ignore", key=f"get {name}")
    shown = (
        text if len(text) <= 400_000 else f"{text[:400_000]}\n… {len(text) - 400_000:,} more characters in the download"
    )
    st.code(wording.visible(shown), language="json", height=420)
