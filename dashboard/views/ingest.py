"""What arrived and what became of it: accounting, refusals with reasons, blind and unknown scopes, dead letters."""

from __future__ import annotations

from collections import Counter
from typing import Any

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Rejection
from dashboard import mends, source
from dashboard.components import table
from dashboard.views import empty, parts

_PARTS = ("stored", "duplicate", "rejected", "pending")
_MOST = 200


def _accounting() -> None:
    projects = source.client().accounting()["projects"]
    if not projects:
        empty.no_runs()
        return
    lines = []
    for project, counts in sorted(projects.items()):
        received = counts.get("received", 0)
        right = received == sum(counts.get(part, 0) for part in _PARTS)
        cells = [{"text": f"{counts.get(part, 0):,}", "number": True} for part in ("received", *_PARTS)]
        proof = {"text": "every record", "kind": "safe"} if right else {"text": "does not add up", "kind": "unsafe"}
        lines.append([wording.visible(project), *cells, proof])
    table(
        ["Project", "Received", "Stored", "Duplicate", "Rejected", "Pending", "Accounted for"], lines, key="accounting"
    )
    st.caption("Spans and log records: received = stored + duplicate + rejected + pending, at every moment.")
    rejected = sum(counts.get("rejected", 0) for counts in projects.values())
    if rejected:
        st.warning(f"{wording.plural(rejected, 'record')} refused: the part Refused says why.", icon=":material/block:")


def _refused() -> None:
    items = source.client().rejections(limit=_MOST)["items"]
    if not items:
        st.success("No record was refused.", icon=":material/task_alt:")
        return
    reasons = Counter(each["reason"] for each in items)
    lines = [
        [wording.visible(reason), {"text": f"{count:,}", "number": True}, mends.mend(reason)]
        for reason, count in reasons.most_common()
    ]
    table(["Why", "Records", "What mends it"], lines, key="reasons")
    st.caption(f"Of the newest {len(items)}; the exact counts are under Accounting. More in docs/rejections.md.")
    st.subheader("One by one")
    table(["When", "Project", "Record", "Why"], [_refusal(each) for each in items], key="refused")


def _refusal(each: Rejection) -> list[Any]:
    return [
        wording.when(each["time"]),
        wording.visible(each["project"]),
        {"text": wording.visible(each["id"]), "kind": "mono"},
        wording.visible(each["reason"]),
    ]


def _scopes() -> None:
    found = source.client().scopes()["scopes"]
    if not found:
        empty.no_runs()
        return
    lines = []
    for each in found:
        understood, blind, unknown = each.get("understood", 0), each.get("without_content", 0), each.get("unknown", 0)
        total = understood + blind + unknown or 1
        if unknown and not understood:
            state: Any = {"text": "unknown", "kind": "unsafe"}
        elif blind:
            state = {"text": "blind", "kind": "not_evaluated"}
        else:
            state = {"text": "understood", "kind": "safe"}
        share = {"text": f"{understood:,} of {total:,}", "bar": understood / total, "kind": "safe"}
        advice = " ".join(part for part in (each.get("reason"), each.get("mend")) if part)
        lines.append(
            [
                state,
                {"text": wording.visible(each["scope"]), "kind": "mono"},
                share,
                f"{blind:,}",
                f"{unknown:,}",
                wording.visible(advice),
            ]
        )
    table(["State", "Instrumentation", "Understood", "Without content", "Unknown", "What to do"], lines, key="scopes")
    st.caption("Of a sample of what is stored. Blind: a step without its texts cannot be judged, so switch content on.")


def _dead() -> None:
    api = source.client()
    items = api.dead_letters(limit=_MOST)["items"]
    if not items:
        st.success("Nothing was given up.", icon=":material/task_alt:")
        st.text("A trace or session that no try could work on is kept here with its last error, until it is replayed.")
        return
    lines = [
        [
            wording.when(each["time"]),
            wording.visible(each["project"]),
            {"text": wording.visible(each["unit"]), "kind": "mono"},
            {"text": f"{each['attempts']:,}", "number": True},
            wording.visible(each["error"]),
            {"text": "Replay", "kind": "link"},
        ]
        for each in items
    ]
    chosen = table(["When", "Project", "Trace or session", "Tries", "Last error", ""], lines, key="dead")
    if chosen is not None:
        _told(api.replay(items[chosen]["id"]))
    if st.button(f"Replay all {len(items)}", type="primary", icon=":material/replay:", key="replay all"):
        _told(api.replay())


def _told(count: int) -> None:
    st.toast(f"{wording.plural(count, 'dead letter')} queued again", icon=":material/replay:")
    st.rerun()


PARTS = {"Accounting": _accounting, "Refused": _refused, "Instrumentations": _scopes, "Dead letters": _dead}


def render() -> None:
    """Draws the part that is open."""
    parts.draw(PARTS)
