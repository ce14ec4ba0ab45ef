"""Where → How → What as three columns joined by bands, laid out here and drawn by the component. Pure.

Invariant: a band and both its ends are as thick as their count, on one scale for all columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import LabelFlow, Taxonomy
from agentdog.client.wording import visible

#: Pixels: of all bands of one column together, of one alone, of the least room for a name, between two nodes.
_THICK, _THIN, _SLOT, _GAP = 240.0, 80.0, 38.0, 10.0
NOT_SAID = ""


def sankey(flows: Sequence[LabelFlow], taxonomy: Taxonomy) -> dict[str, Any]:
    """Lays out flows; every node has its label's id, so that a click can lead to its runs."""
    axes = [axis["id"] for axis in taxonomy["axes"]]
    total = sum(flow["count"] for flow in flows)
    if not total:
        return {"height": 0, "columns": [], "bands": []}
    scale = min(_THICK, _THIN * len(flows)) / total
    places: list[dict[str, dict[str, Any]]] = []
    columns: list[dict[str, Any]] = []
    ends: list[float] = []
    for axis in taxonomy["axes"]:
        counts: Counter[str] = Counter()
        for flow in flows:
            counts[_label(flow, axis["id"])] += flow["count"]
        nodes, top = {}, 0.0
        for label, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            nodes[label] = {
                "id": label,
                "name": visible(wording.label_name(taxonomy, axis["id"], label)) or "Not said",
                "count": count,
                "share": wording.percent(count / total),
                "y": round(top, 2),
                "h": round(count * scale, 2),
            }
            top += max(count * scale, _SLOT) + _GAP
        places.append(nodes)
        columns.append({"axis": axis["id"], "question": axis["question"], "nodes": list(nodes.values())})
        ends.append(top)
    bands = []
    for at in range(len(axes) - 1):
        bands += _between(at, axes[at : at + 2], flows, places[at : at + 2], scale)
    return {"height": max(ends) - _GAP, "columns": columns, "bands": bands}


def _label(flow: LabelFlow, axis: str) -> str:
    return str(flow.get(axis) or NOT_SAID)


def _between(
    at: int,
    axes: Sequence[str],
    flows: Sequence[LabelFlow],
    places: Sequence[dict[str, dict[str, Any]]],
    scale: float,
) -> list[dict[str, Any]]:
    """The bands from one column to the next, in the order of both columns, so that they cross as little as may be."""
    counts: Counter[tuple[str, str]] = Counter()
    for flow in flows:
        counts[_label(flow, axes[0]), _label(flow, axes[1])] += flow["count"]
    left, right = places
    order = sorted(counts, key=lambda pair: (left[pair[0]]["y"], right[pair[1]]["y"]))
    used_left: Counter[str] = Counter()
    used_right: Counter[str] = Counter()
    bands = []
    for source, target in order:
        count = counts[source, target]
        bands.append(
            {
                "column": at,
                "from": source,
                "to": target,
                "y0": round(left[source]["y"] + used_left[source] * scale, 2),
                "y1": round(right[target]["y"] + used_right[target] * scale, 2),
                "h": round(count * scale, 2),
                "text": f"{left[source]['name']} → {right[target]['name']}: {wording.plural(count, 'run')}",
            }
        )
        used_left[source] += count
        used_right[target] += count
    return bands
