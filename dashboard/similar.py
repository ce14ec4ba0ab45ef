"""Which runs are like another: same labels, same tools, same agent, words of the title. Pure.

A score is a sum of plain parts, so that a reader is told in words why a run is here; there is no model in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from agentdog.client.shapes import Summary

_AXES = (
    ("failure_mode", 3.0, "same failure"),
    ("risk_source", 2.5, "same source"),
    ("real_world_harm", 1.5, "same harm"),
)
_WORD = re.compile(r"\w{3,}")


def rank(of: Summary, among: Iterable[Summary]) -> list[tuple[Summary, str]]:
    """Returns other runs, likest first and newest of equals first, each with why."""
    seen: dict[str, tuple[float, str, Summary, str]] = {}
    for other in among:
        if (other["project"], other["id"]) == (of["project"], of["id"]):
            continue
        score, why = _likeness(of, other)
        if score > 0:
            seen[f"{other['project']}\n{other['id']}"] = (score, other["start_time"], other, why)
    ordered = sorted(seen.values(), key=lambda each: (each[0], each[1]), reverse=True)
    return [(other, why) for _, _, other, why in ordered]


def _likeness(one: Summary, other: Summary) -> tuple[float, str]:
    score, why = 0.0, []
    for axis, weight, words in _AXES:
        if one.get(axis) and one.get(axis) == other.get(axis):
            score += weight
            why.append(words)
    shared = set(one.get("tools", [])) & set(other.get("tools", []))
    every = set(one.get("tools", [])) | set(other.get("tools", []))
    if shared:
        score += 2.0 * len(shared) / len(every)
        why.append("same tools" if shared == every else f"{len(shared)} of {len(every)} tools in common")
    if set(one["agents"]) & set(other["agents"]) - {""}:
        score += 0.5
        why.append("same agent")
    a, b = (set(_WORD.findall(each["title"].casefold())) for each in (one, other))
    if a and b:
        alike = len(a & b) / len(a | b)
        score += 2.0 * alike
        if alike >= 0.5:
            why.append("much the same request")
    return score, ", ".join(why)
