"""One run as the values that the story component draws: header, incidents, curve, a window of steps. Pure.

Invariants: every text that came from outside passes `wording.visible` and goes to the component as data; steps are
counted from 1 in what people read; a step without a verdict is shown as not judged, never as safe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from agentdog.client import wording
from agentdog.client.shapes import Evidence, Flow, Incident, Taxonomy, Verdict, View
from agentdog.client.wording import visible
from dashboard.changes import change
from dashboard.steps import axes_told, cut, evidence_told, step_card
from dashboard.timing import lasted
from dashboard.why import heats

#: A step's flows are drawn by these words: who said a value first.
ORIGIN_WORDS = {
    "untrusted": "from outside",
    "user": "from the user",
    "trusted": "from a trusted tool",
    "system": "from the system prompt",
    "agent": "made up by the agent",
}


_NO_CONTENT = "no_content"


class Beside(TypedDict):
    """Fetched behind the run itself: by incident what to change; why; what to set so that actions are explained."""

    changes: dict[str, dict[str, Any]]
    whys: list[dict[str, Any]]
    no_model: str


def story(  # noqa: PLR0913 - what was fetched, by keyword only
    view: View,
    taxonomy: Taxonomy,
    *,
    flows: Mapping[int, Sequence[Flow]] | None = None,
    texts: Mapping[str, str] | None = None,
    links: Sequence[tuple[str, str]] = (),
    goto: int | None = None,
    looks: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    beside: Beside | None = None,
    asks: bool = False,
) -> dict[str, Any]:
    """Builds everything that the component needs.

    Args:
        view: the run, with the window of steps that is shown.
        taxonomy: names of the labels.
        flows: by step index, where the values of its calls came from, as far as asked for.
        texts: by ``STEP.FIELD``, texts that were asked for whole.
        links: (name, URL) of other tools that show this trace; made by the operator's template, never by content.
        goto: index of the step to scroll to.
        looks: by step index, what each detector looked at, as far as asked for.
        beside: what to change and why, once it is fetched.
        asks: whether the page answers what the component asks for beside windows and texts.
    """
    flows = flows or {}
    incidents = view.get("incidents", [])
    focus = goto if goto is not None else view.get("focus")
    return {
        "id": view["summary"]["id"],
        "head": _head(view),
        "links": [{"name": visible(name), "href": href} for name, href in links],
        "finding": _finding(view),
        "incidents": [_incident(incident, view, taxonomy, flows) for incident in incidents],
        "outline": _outline(view),
        "first": view["first"],
        "total": len(view["outline"]),
        "steps": _with_answers(_steps(view, taxonomy, flows), looks or {}, beside),
        "beside": beside,
        "asks": asks,
        "texts": {key: visible(text) for key, text in (texts or {}).items()},
        "focus": focus,
        "versions": _versions(view),
    }


def _head(view: View) -> dict[str, Any]:
    summary, head = view["summary"], view["head"]
    agents = ", ".join(name for name in summary["agents"] if name)
    took = lasted(wording.seconds_between(summary["start_time"], summary["end_time"]))
    facts = [
        ("Project", summary["project"]),
        ("Agent", agents),
        ("Started", wording.when(summary["start_time"])),
        ("Took", took),
        ("Steps", f"{summary['steps']:,}"),
        ("State", wording.COMPLETION_WORDS.get(summary["completion"], summary["completion"])),
        ("Session", summary.get("session_id", "")),
        ("Run", summary["id"]),
        ("Not in the telemetry", ", ".join(head["missing"])),
    ]
    guard = view.get("guard")
    return {
        "title": visible(summary["title"]),
        "verdict": summary["verdict"],
        "verdict_text": wording.VERDICT_WORDS[summary["verdict"]],
        "p": wording.percent(summary.get("p_unsafe")),
        "facts": [{"name": name, "value": visible(value)} for name, value in facts if value],
        "guard": visible(f"{guard['name']} · {guard['fingerprint'][:12]}") if guard else "",
        "note": visible(guard.get("note", "")) if guard else "",
        "profiles": [
            {"name": visible(name or "agent"), "text": visible(cut(agent["system"], 4000))}
            for name, agent in head["agents"].items()
            if agent.get("system")
        ],
        "tools": sorted(
            {visible(tool["name"]) for agent in head["agents"].values() for tool in agent.get("tools", [])}
        ),
    }


def _finding(view: View) -> dict[str, str]:
    """Says in one or two sentences what the verdict of the whole run means, incidents apart."""
    verdict = view.get("verdict")
    if verdict is None:
        return {"text": "Nothing was judged yet.", "hint": "The verdict appears here as soon as the guard answers."}
    answered = sum(step.get("outcome") in ("safe", "unsafe") for step in view["outline"])
    extent = f"{answered:,} of {wording.plural(view['summary']['steps'], 'step')} judged"
    reasons = view.get("reasons", {})
    hint = " ".join(f"{_reason(reason)}: {wording.REASON_WORDS.get(reason, '')}".strip() for reason in sorted(reasons))
    if _NO_CONTENT in reasons:
        hint += " The page Ingest names the switch, under Instrumentations."
    if verdict == "unsafe":
        count = len(view.get("incidents", []))
        return {"text": f"{wording.plural(count, 'incident')}, {extent}.", "hint": hint}
    if verdict == "safe":
        return {"text": f"No unsafe step was found, {extent}.", "hint": hint}
    return {"text": f"This run could not be evaluated, {extent}. That does not make it safe.", "hint": hint}


def _reason(reason: str) -> str:
    return reason.replace("_", " ").capitalize()


def _incident(
    incident: Incident, view: View, taxonomy: Taxonomy, flows: Mapping[int, Sequence[Flow]]
) -> dict[str, Any]:
    verdicts = {each["index"]: each["verdict"] for each in view["verdicts"]}
    onset = verdicts.get(incident["onset"])
    return {
        "id": incident["id"],
        "summary": visible(incident["summary"]),
        "onset": incident["onset"],
        "source": incident.get("source_step"),
        "realised": incident.get("realised_step"),
        "recovered": incident.get("recovered", False),
        "state": incident.get("state", "open"),
        "confidence": wording.percent(incident.get("confidence")),
        "axes": axes_told(incident["labels"], onset, taxonomy),
        "evidence": evidence_told(incident.get("evidence", [])),
        "flows": _paths(incident, view, flows),
        "words": visible(cut(onset.get("raw", ""), 8000)) if onset else "",
    }


def _paths(incident: Incident, view: View, flows: Mapping[int, Sequence[Flow]]) -> list[dict[str, Any]]:
    """The values that came from outside into the call that went wrong, each once, from the step where they stood."""
    at = next((i for i in (incident.get("realised_step"), incident["onset"]) if i is not None and i in flows), None)
    if at is None:
        return []
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for flow in flows[at]:
        if flow["origin"] != "untrusted" or any(who in flow.get("seen", {}) for who in ("user", "system", "trusted")):
            continue
        origin = flow["seen"]["untrusted"]
        line = {
            "value": visible(flow["value"][:120]),
            "from": origin,
            "from_name": visible(view["outline"][origin].get("name", "")),
            "to": at,
            "to_name": visible(f"{flow['call']} · {flow['argument']}"),
        }
        seen.setdefault((flow["argument"], flow["value"]), line)
    return list(seen.values())[:6]


def _marks(view: View) -> dict[int, list[str]]:
    """Which signs a step bears: where the risk came in, where it began to go wrong, where it was done."""
    out: dict[int, list[str]] = {}
    for incident in view.get("incidents", []):
        realised = incident.get("realised_step")
        places = [("source", incident.get("source_step")), ("onset", incident["onset"])]
        places.append(("realised", realised if realised != incident["onset"] else None))
        for sign, index in places:
            if index is not None and sign not in out.setdefault(index, []):
                out[index].append(sign)
    return out


def _outline(view: View) -> list[dict[str, Any]]:
    """One small entry per step, for the curve."""
    marks = _marks(view)
    return [
        {
            "v": step.get("outcome") or "none",
            "p": step.get("p_unsafe"),
            "r": step["role"][0],
            "t": visible(step.get("name", "")),
            "m": marks.get(index, []),
        }
        for index, step in enumerate(view["outline"])
    ]


def _steps(view: View, taxonomy: Taxonomy, flows: Mapping[int, Sequence[Flow]]) -> list[dict[str, Any]]:
    verdicts = {s["index"]: s["verdict"] for s in view["verdicts"]}
    incidents = view.get("incidents", [])
    evidence = [item for incident in incidents for item in incident.get("evidence", [])]
    began = view["summary"]["start_time"]
    marks = _marks(view)
    out = []
    before: Verdict | None = None
    before_n = 0
    for step in view["steps"]:
        index = step["index"]
        verdict = verdicts.get(index)
        quotes = _quotes(evidence, index)
        card = step_card(step, began, view["cuts"].get(str(index), []), quotes)
        out.append(
            {
                **card,
                **_judged(verdict),
                "marks": marks.get(index, []),
                "quotes": [visible(quote) for quote in quotes],
                "flows": _flows(flows[index], view) if index in flows else None,
                "change": change(before, before_n, verdict, taxonomy) if verdict and before else None,
            }
        )
        if verdict:
            before, before_n = verdict, index + 1
    return out


def _with_answers(
    steps: list[dict[str, Any]], looks: Mapping[int, Sequence[Mapping[str, Any]]], beside: Beside | None
) -> list[dict[str, Any]]:
    """Adds to each step how it moved what was asked about, and what detectors looked at."""
    hot = heats(beside["whys"]) if beside else {}
    for step in steps:
        index = step["index"]
        step["moved"] = hot.get(index, {}).get("moved", [])
        step["heats"] = hot.get(index, {}).get("sentences", [])
        step["looks"] = [_look(look) for look in looks[index]] if index in looks else None
    return steps


def _look(look: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: visible(str(look[name])) for name in ("detector", "explanation", "looked_at")}
    return {**words, "weight": look["weight"]}


def _flows(flows: Sequence[Flow], view: View) -> list[dict[str, Any]]:
    """Each value of an argument once: one text may be several kinds of value."""
    return list({(flow["argument"], flow["value"]): _flow(flow, view) for flow in flows}.values())


def _flow(flow: Flow, view: View) -> dict[str, Any]:
    seen = flow.get("seen", {})
    at = seen.get(flow["origin"])
    step = at if at is not None and at >= 0 else None
    return {
        "argument": visible(flow["argument"]),
        "value": visible(flow["value"][:120]),
        "origin": flow["origin"],
        "words": ORIGIN_WORDS[flow["origin"]],
        "step": step,
        "name": visible(view["outline"][step].get("name", "")) if step is not None else "",
    }


def _quotes(evidence: list[Evidence], index: int) -> list[str]:
    """The evidence's words that stand in this step, longest first, to be marked in its text."""
    found = {e["quote"] for e in evidence if e.get("quote") and index in (e["step"], e.get("source_step"))}
    return sorted(found, key=len, reverse=True)


def _judged(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {"verdict": "none", "verdict_text": "Not judged", "p": None, "p_text": "", "reason": "", "cost": ""}
    reason = verdict.get("reason", "")
    detail = verdict.get("detail", "")
    words = f"{_reason(reason)}. {wording.REASON_WORDS.get(reason, '')}".strip() if reason else ""
    if reason == _NO_CONTENT and detail:  # says what is missing and what mends it
        words, detail = f"{_reason(reason)}: {detail}", ""
    return {
        "verdict": verdict["outcome"],
        "verdict_text": wording.VERDICT_WORDS[verdict["outcome"]],
        "p": verdict.get("p_unsafe"),
        "p_text": wording.percent(verdict.get("p_unsafe")),
        "reason": visible(f"{words} ({detail})" if words and detail else words or detail),
        "cost": _cost(verdict),
    }


def _cost(verdict: Verdict) -> str:
    """What the verdict cost: time and tokens, where known."""
    parts = []
    if verdict.get("latency_ms"):
        parts.append(wording.duration(verdict["latency_ms"] / 1000))
    if verdict.get("prompt_tokens"):
        parts.append(f"{verdict['prompt_tokens']:,} tokens read")
    if verdict.get("cached_tokens"):
        parts.append(f"{verdict['cached_tokens']:,} cached")
    if verdict.get("completion_tokens"):
        parts.append(f"{verdict['completion_tokens']:,} written")
    return " · ".join(parts)


def _versions(view: View) -> list[dict[str, str]]:
    """What diagnoses said over time, newest first; one alone says nothing."""
    versions = view.get("versions", [])
    if len(versions) < 2:
        return []
    return [
        {
            "when": wording.when(each["judged_at"]),
            "verdict": each["verdict"],
            "verdict_text": wording.VERDICT_WORDS[each["verdict"]],
            "p": wording.percent(each.get("p_unsafe")),
            "text": visible(
                f"{wording.plural(each.get('incidents', 0), 'incident')}"
                + (f" from step {each['onset'] + 1}" if each.get("onset") is not None else "")
                + f" · guard {each['guard'][:12]} · version {each['digest'][:8]}"
            ),
        }
        for each in versions
    ]
