"""Which text moved a verdict or an action, as the story shows it: ranked steps, their sentences, shades. Pure.

Invariant: a shade says how strong a score is beside the strongest of the same answer, and is pale
where the strongest is next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import AskedAttribution, Attribution, SentenceScore, StepScore, View
from agentdog.client.wording import visible
from dashboard.steps import cut

_STEPS, _SENTENCES = 5, 40
_CARRIES = 0.1  # a change of P(unsafe) that people would call one
_PALE = 3.0  # times as pale is a sentence's shade where no step carries the verdict
_LONGEST = 600  # characters of one sentence
#: A sentence with less than this share of the strongest is not shaded.
_FAINT = 0.05


def whys(items: Sequence[AskedAttribution], view: View) -> list[dict[str, Any]]:
    """Words every answer that is there, asked for, or failed."""
    return [_why(item, view) for item in items]


def _why(item: AskedAttribution, view: View) -> dict[str, Any]:
    result = item.get("result")
    told: dict[str, Any] = {
        "step": item["index"],
        "target": item["target"],
        "state": item.get("state", "pending"),
        "name": visible(item["name"]),
        "error": visible(item.get("error", "")),
        "rows": [],
        "about": "",
        "notes": [],
    }
    return told if result is None else told | _answer(result, view)


def _answer(result: Attribution, view: View) -> dict[str, Any]:
    shown = [result["steps"][place] for place in result["ranking"][:_STEPS]]
    most = max((abs(step["score"]) for step in shown), default=0.0)
    weights = [_weight(piece, step) for step in shown for piece in step.get("sentences", [])]
    strongest = max(weights, default=0.0)
    strongest *= _PALE if _weak(result) else 1.0
    return {
        "rows": [_row(step, view, most, strongest) for step in shown],
        "about": visible(_about(result)),
        "notes": [visible(note) for note in result.get("notes", [])],
    }


def _weak(result: Attribution) -> bool:
    """Whether no step alone carries a verdict, as its notes say then."""
    most = max((result["steps"][place]["score"] for place in result["ranking"]), default=0.0)
    return result["target"] == "verdict" and most < _CARRIES


def _about(result: Attribution) -> str:
    verdict = result["target"] == "verdict"
    there = wording.percent(result["baseline"]) if verdict else f"{result['baseline']:.1f} nats"
    base = f"P(unsafe) with everything in place {there}" if verdict else f"log-likelihood of the action {there}"
    seconds = wording.duration(result["cost"].get("seconds"))
    return f"{result['model']} · {result['unit']} · {base} · computed in {seconds}"


def _row(step: StepScore, view: View, most: float, strongest: float) -> dict[str, Any]:
    index = step["step"]
    outlined = view["outline"][index] if index is not None and index < len(view["outline"]) else None
    who = wording.ROLE_WORDS.get(step["role"], "The agents' profile")
    name = visible(outlined.get("name", "")) if outlined else ""
    return {
        "step": index,
        "who": f"{who} · {name}" if name else who,
        "score": f"{step['score']:+.3f}",
        "share": abs(step["score"]) / most if most > 0 else 0.0,
        "against": step["score"] < 0,
        "looked": f"{step['attention']:.0%} of the attention" if "attention" in step else "",
        "sentences": [_sentence(piece, step, strongest) for piece in step.get("sentences", [])[:_SENTENCES]],
    }


def _weight(piece: SentenceScore, step: StepScore) -> float:
    """What a sentence says beyond one that says nothing; 0 where it was not scored."""
    return piece["score"] - step.get("nothing", 0.0) if piece.get("candidate", True) else 0.0


def _sentence(piece: SentenceScore, step: StepScore, strongest: float) -> dict[str, Any]:
    heat = _weight(piece, step) / strongest if strongest > 0 else 0.0
    return {
        "text": visible(cut(piece["text"], _LONGEST)),
        "score": f"{piece['score']:+.3f}",
        "heat": round(heat, 3) if heat >= _FAINT else 0.0,
    }


def heats(whys_told: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """By step index, how strongly a step moved the answer asked for last, and which of its sentences did."""
    out: dict[int, dict[str, Any]] = {}
    for why in whys_told:
        for row in why["rows"]:
            if row["step"] is None or row["against"] or row["share"] < _FAINT:
                continue
            what = "verdict on" if why["target"] == "verdict" else "action of"
            known = out.setdefault(row["step"], {"moved": [], "sentences": []})
            known["moved"].append(f"moved the {what} step {why['step'] + 1}: {row['score']}")
            known["sentences"] += [
                {"text": piece["text"].strip(), "heat": piece["heat"]} for piece in row["sentences"] if piece["heat"]
            ]
    return out
