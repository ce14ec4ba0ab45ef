"""What to change, as the story shows it: where a check would have stopped an incident, the rule, the hook. Pure."""

from __future__ import annotations

import shlex
from typing import Any

from agentdog.client import wording
from agentdog.client.shapes import Remedies, Remedy, Trial
from agentdog.client.wording import visible


def changes(found: Remedies) -> dict[str, dict[str, Any]]:
    """Words what to change, by incident."""
    return {remedy["incident_id"]: _change(remedy, found["trajectory_id"]) for remedy in found["remedies"]}


def _change(remedy: Remedy, run: str) -> dict[str, Any]:
    hook, trial = remedy.get("hook"), remedy.get("trial")
    return {
        "advice": visible(remedy["advice"]),
        "step": remedy.get("step"),
        "trial": _tried(trial) if trial else "",
        "costs": bool(trial and trial["good"]),
        "in_force": visible(remedy.get("in_force", "")),
        "policy": visible(remedy.get("policy", "")).strip(),
        "apply": f"agentdog fix {shlex.quote(run)} --apply",
        "hook": {"name": visible(hook["name"]), "snippet": visible(hook["snippet"])} if hook else None,
        "keep": f"agentdog case save {shlex.quote(run)}",
    }


def _tried(trial: Trial) -> str:
    of = f"Tried on {wording.plural(trial['calls'], 'call')} of {wording.plural(trial['runs'], 'run')}"
    denied = f"it denies {trial['bad']} that went wrong and {trial['good']} that turned out good"
    unknown = f", and {trial['open']} of runs that could not be evaluated" if trial["open"] else ""
    return f"{of}: {denied}{unknown}."
