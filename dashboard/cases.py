"""One incident as a reviewer sees it: what was found, and only the steps that matter. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import Incident, Taxonomy, View
from agentdog.client.wording import visible
from dashboard.rows import row
from dashboard.steps import axes_told, evidence_told, step_card


def steps_of(incident: Incident) -> list[int]:
    """Returns the indices of the steps that a reviewer must read: where it came in, began, and was done."""
    places = (incident.get("source_step"), incident["onset"], incident.get("realised_step"))
    return sorted({index for index in places if index is not None})


def case(incident: Incident, views: Sequence[View], taxonomy: Taxonomy, *, place: str) -> dict[str, Any]:
    """Words one incident.

    Args:
        incident: which one.
        views: of its run; between them they hold the steps of `steps_of`.
        taxonomy: names of the labels.
        place: where in a queue it stands, in words.
    """
    view = views[0]
    line = row(view["summary"], taxonomy)
    wanted = set(steps_of(incident))
    quotes = {item["quote"] for item in incident.get("evidence", []) if item.get("quote")}
    began = view["summary"]["start_time"]
    judged = {found["index"]: found["verdict"] for each in views for found in each["verdicts"]}
    steps: dict[int, dict[str, Any]] = {}
    for each in views:
        for step in each["steps"]:
            index = step["index"]
            if index in wanted:
                verdict = judged.get(index)
                steps[index] = {
                    **step_card(step, began, each["cuts"].get(str(index), []), sorted(quotes)),
                    "mark": _mark(incident, index),
                    "verdict": verdict["outcome"] if verdict else "none",
                    "verdict_text": wording.VERDICT_WORDS[verdict["outcome"]] if verdict else "Not judged",
                    "p_text": wording.percent(verdict.get("p_unsafe")) if verdict else "",
                }
    return {
        "id": incident["id"],
        "place": place,
        "title": line["title"],
        "who": line["who"],
        "when": line["when"],
        "state": incident.get("state", "open"),
        "confidence": wording.percent(incident.get("confidence")),
        "summary": visible(incident["summary"]),
        "axes": axes_told(incident["labels"], judged.get(incident["onset"]), taxonomy),
        "evidence": evidence_told(incident.get("evidence", [])),
        "quotes": [visible(quote) for quote in sorted(quotes, key=len, reverse=True)],
        "steps": [steps[index] for index in sorted(steps)],
    }


def _mark(incident: Incident, index: int) -> str:
    if index == incident["onset"]:
        return "onset"
    return "source" if index == incident.get("source_step") else "realised"
