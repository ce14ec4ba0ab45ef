"""Summaries of runs as the rows that the list component draws. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NotRequired, TypedDict
from urllib.parse import quote

from agentdog.client import wording
from agentdog.client.shapes import Summary, Taxonomy
from dashboard.timing import lasted


class Axis(TypedDict):
    """One axis of a row: its question and the label's name."""

    question: str
    name: str


class Row(TypedDict):
    """One run in a list; every value is text for ``textContent``, `href` apart; `note` is a line of its own."""

    id: str
    href: str
    verdict: str
    verdict_text: str
    p: str
    title: str
    who: str
    axes: list[Axis]
    facts: list[str]
    when: str
    running: bool
    step: NotRequired[int]
    note: NotRequired[str]


def row(summary: Summary, taxonomy: Taxonomy, *, step: int | None = None) -> Row:
    """Words one summary; its link leads to the step of that index, where given."""
    axes: list[Axis] = []
    for axis in taxonomy["axes"]:
        label_id = summary.get(axis["id"])
        if label_id:
            name = wording.label_name(taxonomy, axis["id"], label_id)
            axes.append({"question": axis["question"], "name": wording.visible(name)})
    facts = [wording.plural(summary["steps"], "step")]
    if summary["incidents"]:
        facts.append(wording.plural(summary["incidents"], "incident"))
    facts.append(lasted(wording.seconds_between(summary["start_time"], summary["end_time"])))
    agents = ", ".join(name for name in summary["agents"] if name)
    at = "" if step is None else f"&step={step + 1}"
    shown: Row = {
        "id": summary["id"],
        "href": f"trajectory?id={quote(summary['id'], safe='')}{at}",
        "verdict": summary["verdict"],
        "verdict_text": wording.VERDICT_WORDS[summary["verdict"]],
        "p": wording.percent(summary.get("p_unsafe")),
        "title": wording.visible(summary["title"]),
        "who": wording.visible(f"{summary['project']} · {agents}" if agents else summary["project"]),
        "axes": axes,
        "facts": [fact for fact in facts if fact],
        "when": wording.when(summary["start_time"]),
        "running": summary["completion"] == "open",
    }
    if step is not None:
        shown["step"] = step
    return shown


def rows(summaries: Iterable[Summary], taxonomy: Taxonomy) -> list[Row]:
    """Words many summaries, in their order."""
    return [row(summary, taxonomy) for summary in summaries]
