"""One step as a card: its texts in reading order, calls with arguments, notes; and a label's rivals. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import Cut, Evidence, Labels, Step, Taxonomy, Verdict
from agentdog.client.wording import visible
from dashboard.timing import lasted

#: Characters of one text that are sent to the browser without being asked for.
TEXT_LIMIT = 50_000
_RIVALS = 3
_QUOTED = 2000


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """Cuts a long text and says so at the cut."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[… {len(text) - limit:,} characters …]"


def _runner_ups(verdict: Verdict | None, taxonomy: Taxonomy, axis: str, chosen: str | None) -> dict[str, Any]:
    """What else the guard held likely on an axis, and how likely the label that it gave; empty where it gave none."""
    likely = (verdict.get("axes") or {}).get(axis, {}) if verdict else {}
    rivals = [(label, p) for label, p in likely.items() if label != chosen][:_RIVALS]
    own = likely.get(chosen or "")
    outdone = own is not None and any(p > own for _, p in rivals)
    return {
        "p": wording.percent(own),
        "outdone": "Named, though another has the larger share." if outdone else "",
        "rivals": [
            {"name": visible(wording.label_name(taxonomy, axis, label)), "p": p, "p_text": wording.percent(p)}
            for label, p in rivals
        ],
    }


def axes_told(labels: Labels, verdict: Verdict | None, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Words an incident's labels, axis by axis, with what else the guard's verdict held likely."""
    out = []
    for axis in taxonomy["axes"]:
        label_id = labels.get(axis["id"])
        found = wording.label(taxonomy, axis["id"], label_id)
        groups = {group["id"]: group["name"] for group in axis["groups"]}
        out.append(
            {
                "question": axis["question"],
                "axis": axis["name"],
                "name": visible(found["name"]) if found else "Not said",
                "group": groups.get(found.get("group", ""), "") if found else "",
                "definition": found["definition"] if found else "The guard gave no label on this axis.",
                "known": found is not None,
                **_runner_ups(verdict, taxonomy, axis["id"], label_id),
            }
        )
    return out


def evidence_told(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """Words evidence; what two arguments of a call gave rise to alike is said once."""
    told: list[dict[str, Any]] = []
    for item in evidence:
        line = {
            "message": visible(item["message"]),
            "quote": visible(cut(item.get("quote", ""), _QUOTED)),
            "detector": visible(item["detector"]),
            "step": item["step"],
            "source": item.get("source_step"),
        }
        if line not in told:
            told.append(line)
    return told


def step_card(step: Step, began: str | None, cuts: Sequence[Cut], quotes: Sequence[str] = ()) -> dict[str, Any]:
    """Words one step.

    Args:
        step: as the API tells it.
        began: when the run did, RFC 3339.
        cuts: the texts that are not here whole.
        quotes: what must stay to be found in the texts as it stands.
    """
    offset = lasted(wording.seconds_between(began, step.get("start_time")))
    took = lasted(wording.seconds_between(step.get("start_time"), step.get("end_time")))
    whole = {each["field"]: each["size"] for each in cuts}
    return {
        "n": step["index"] + 1,
        "index": step["index"],
        "role": step["role"],
        "role_text": wording.ROLE_WORDS[step["role"]],
        "who": visible(step.get("name", "") if step["role"] == "environment" else step.get("agent", "")),
        "offset": f"+{offset}" if offset else "",
        "took": f"took {took}" if took else "",
        "failed": step.get("is_error", False),
        "thread": visible(step.get("thread", "")),
        "texts": _texts(step, whole, quotes),
        "calls": [
            {
                "id": visible(call["id"]),
                "name": visible(call["name"]),
                "arguments": [
                    {
                        "name": visible(name),
                        "value": value_text(value),
                        "field": f"tool_calls.{at}.arguments.{name}",
                        "size": whole.get(f"tool_calls.{at}.arguments.{name}", 0),
                    }
                    for name, value in call["arguments"].items()
                ],
                "raw": visible(cut(call.get("arguments_raw", ""))),
                "empty": "" if "arguments" in step.get("missing", []) else "without arguments",
            }
            for at, call in enumerate(step.get("tool_calls", []))
        ],
        "attachments": [
            f"{visible(a['media_type'])}, {a['size']:,} bytes, SHA-256 {a['sha256'][:12]}…"
            for a in step.get("attachments", [])
        ],
        "notes": [visible(note) for note in _notes(step)],
    }


def _notes(step: Step) -> list[str]:
    missing = [f"no {part} in the telemetry" for part in step.get("missing", [])]
    notes = [*missing, *(["cut before it was stored"] if step.get("truncated") else [])]
    if step.get("provisional"):
        notes.append("may still change")
    if step.get("handoff_to"):
        notes.append(f"hands over to {step['handoff_to']}")
    return notes


def _texts(step: Step, whole: dict[str, int], quotes: Sequence[str]) -> list[dict[str, Any]]:
    """The step's texts in reading order; `kind` chooses the look, `label` says what it is."""
    parts = [
        ("reasoning", "reasoning", "Hidden reasoning", step.get("reasoning")),
        ("thought", "thought", "Says", step.get("thought")),
        ("content", "content", "", step.get("content")),
        ("result", "tool_result", "", pretty(step.get("tool_result"), quotes)),
        ("error", "error", "Error", step.get("error")),
    ]
    return [
        {"kind": kind, "label": label, "text": visible(cut(text)), "field": field, "size": whole.get(field, 0)}
        for kind, field, label, text in parts
        if text
    ]


def pretty(text: str | None, quotes: Sequence[str] = ()) -> str | None:
    """Lays out a text that is a JSON object or list, unless a quotation would be lost; any other stays as it is."""
    if not text or text[0] not in "{[" or len(text) > TEXT_LIMIT:
        return text
    try:
        laid_out = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
        return laid_out if all(quote in laid_out for quote in quotes if quote in text) else text
    except (ValueError, RecursionError):
        return text


def value_text(value: object) -> str:
    """An argument's value as people read it: text as it is, anything else as laid out JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return visible(cut(text))
