"""What is different: between two verdicts of one run, and between two runs. Pure."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import Evidence, Step, Taxonomy, Verdict
from agentdog.client.wording import visible
from dashboard.steps import cut, value_text

_NOTABLE = 0.005  # a move of P(unsafe) that the shown figures can tell


def change(before: Verdict, before_n: int, after: Verdict, taxonomy: Taxonomy) -> dict[str, Any] | None:
    """Says what a verdict changed against an earlier one, of the step that people count as `before_n`; or nothing."""
    lines: list[dict[str, str]] = []
    if before["outcome"] != after["outcome"]:
        words = wording.VERDICT_WORDS
        lines.append({"kind": "verdict", "text": f"{words[before['outcome']]} → {words[after['outcome']]}"})
    was, now = before.get("p_unsafe"), after.get("p_unsafe")
    if was is not None and now is not None and abs(now - was) >= _NOTABLE:
        lines.append({"kind": "p", "text": f"P(unsafe) {wording.percent(was)} → {wording.percent(now)}"})
    for axis in taxonomy["axes"]:
        old, new = (each.get("labels", {}).get(axis["id"]) for each in (before, after))
        if old != new:
            names = [visible(wording.label_name(taxonomy, axis["id"], each)) or "not said" for each in (old, new)]
            lines.append({"kind": "label", "text": f"{axis['question']}: {names[0]} → {names[1]}"})
    had = [_key(item) for item in before.get("evidence", [])]
    has = [_key(item) for item in after.get("evidence", [])]
    for item in after.get("evidence", []):
        if _key(item) not in had:
            lines.append({"kind": "more", "text": visible(f"new evidence: {item['message']}")})
    for item in before.get("evidence", []):
        if _key(item) not in has:
            lines.append({"kind": "less", "text": visible(f"no longer evidence: {item['message']}")})
    return {"since": before_n, "lines": lines} if lines else None


def _key(item: Evidence) -> tuple[str, int, str]:
    return item["detector"], item["step"], item.get("quote", "")


def said(step: Step) -> str:
    """A step as one text: who, what it calls and says. Two steps that differ only in ids are the same."""
    who = step.get("name") if step["role"] == "environment" else wording.ROLE_WORDS[step["role"]].lower()
    lines = [str(who or "tool")]
    lines += [
        text for text in (step.get("thought"), step.get("content"), step.get("tool_result"), step.get("error")) if text
    ]
    for call in step.get("tool_calls", []):
        lines.append(f"→ {call['name']}")
        lines += [f"  {name}: {value_text(value)}" for name, value in call["arguments"].items()]
    return "\n".join(lines)


def side_by_side(left: list[Step], right: list[Step]) -> list[dict[str, Any]]:
    """Aligns two runs step by step; each row has a step on the left, on the right or on both.

    `same` rows say the same; `changed` ones are as much alike as to be the same step; others stand on one side only.
    """
    texts = [said(step) for step in left], [said(step) for step in right]
    rows: list[dict[str, Any]] = []
    matcher = SequenceMatcher(None, *texts, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            rows += [_row("same", left, right, a0 + at, b0 + at) for at in range(a1 - a0)]
            continue
        shared = min(a1 - a0, b1 - b0)
        rows += [_row("changed", left, right, a0 + at, b0 + at) for at in range(shared)]
        rows += [_row("left", left, right, at, None) for at in range(a0 + shared, a1)]
        rows += [_row("right", left, right, None, at) for at in range(b0 + shared, b1)]
    return rows


def _row(kind: str, left: list[Step], right: list[Step], a: int | None, b: int | None) -> dict[str, Any]:
    one = said(left[a]) if a is not None else ""
    other = said(right[b]) if b is not None else ""
    pieces = (
        _pieces(one, other)
        if kind == "changed"
        else ([[visible(cut(one, 4000)), False]], [[visible(cut(other, 4000)), False]])
    )
    return {
        "kind": kind,
        "left": {"n": left[a]["index"] + 1, "pieces": pieces[0]} if a is not None else None,
        "right": {"n": right[b]["index"] + 1, "pieces": pieces[1]} if b is not None else None,
    }


def _pieces(one: str, other: str) -> tuple[list[list[Any]], list[list[Any]]]:
    """Splits two texts into pieces, each with whether it stands on its own side only; by words."""
    a, b = (_words(cut(text, 4000)) for text in (one, other))
    out: tuple[list[list[Any]], list[list[Any]]] = ([], [])
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for side, (begin, end) in enumerate(((a0, a1), (b0, b1))):
            if begin < end:
                out[side].append([visible("".join((a, b)[side][begin:end])), tag != "equal"])
    return out


def _words(text: str) -> list[str]:
    out: list[str] = []
    for line in text.splitlines(keepends=True):
        parts = line.split(" ")
        out += [part + " " for part in parts[:-1]] + [parts[-1]]
    return [word for word in out if word]
