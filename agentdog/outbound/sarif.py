"""Incidents as SARIF 2.1.0 (OASIS), for code scanning in CI. Pure.

A run has no source file, so each stands for one: ``trajectories/ID.txt``, its lines the steps, counted from 1; who has
the runs, or the agent's code, in the repository names another place. Rules are the ways in which agents fail (*how*).
Dismissed incidents are there as suppressed results, and what nobody judged as notifications, so that neither reads as
"nothing found".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import msgspec

import taxonomy
from agentdog.diagnosis import Diagnosis, Incident
from agentdog.guards import Outcome
from agentdog.outbound.alerts import link
from agentdog.trajectory import Trajectory

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
PLACE = "trajectories/{id}.txt"
_UNNAMED = "unsafe_step"
_HOME = "https://arxiv.org/abs/2601.18491"


class Run(msgspec.Struct, frozen=True):
    """A run and what is said about it."""

    trajectory: Trajectory
    diagnosis: Diagnosis | None = None


def log_of(runs: Iterable[Run], *, version: str, base: str, place: str = PLACE) -> dict[str, Any]:
    """Builds the log: one result per incident.

    Args:
        runs: read one by one.
        version: of this program.
        base: address of the debugger, as people reach it.
        place: relative address that results point at; ``{id}`` is the run's.
    """
    rules: dict[str, dict[str, Any]] = {}
    results: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for run in runs:
        for incident in run.diagnosis.incidents if run.diagnosis else ():
            rule = incident.labels.failure_mode or _UNNAMED
            rules.setdefault(rule, _rule(rule))
            results.append(_result(run.trajectory, incident, rule, list(rules).index(rule), base, place))
        notes += _not_judged(run)
    driver = {
        "name": "agentdog",
        "version": version,
        "semanticVersion": version,
        "informationUri": _HOME,
        "rules": list(rules.values()),
    }
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if notes:
        invocation["toolExecutionNotifications"] = notes
    told = {"tool": {"driver": driver}, "invocations": [invocation], "columnKind": "utf16CodeUnits", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [told]}


def _rule(label: str) -> dict[str, Any]:
    known = {each.id: each for axis in taxonomy.load("all").axes for each in axis.labels}
    found = known.get(label)
    name = found.name if found is not None else label.replace("_", " ").capitalize()
    words = found.definition if found is not None else "A step of an agent that was judged unsafe."
    return {
        "id": label,
        "name": "".join(part.capitalize() for part in label.split("_")),
        "shortDescription": {"text": name},
        "fullDescription": {"text": words},
        "help": {"text": words},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security", "ai-agent"], "precision": "medium", "security-severity": "7.0"},
    }


def _result(
    trajectory: Trajectory, incident: Incident, rule: str, number: int, base: str, place: str
) -> dict[str, Any]:
    labels = {axis: getattr(incident.labels, axis) for axis in taxonomy.AXES}
    result: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": number,
        "level": "error",
        "message": {"text": f"{incident.summary} See {link(base, trajectory.id, incident.onset)}"},
        "locations": [_location(trajectory, incident.onset, place)],
        "partialFingerprints": {"agentdogIncident/v1": incident.id},
        "properties": {
            "trajectoryId": trajectory.id,
            "project": trajectory.project,
            "step": incident.onset + 1,
            "state": incident.state,
            **{key: value for key, value in labels.items() if value},
            **({"pUnsafe": incident.confidence} if incident.confidence is not None else {}),
        },
    }
    if incident.source_step is not None:
        words = {"message": {"text": "Here the risk came in."}}
        result["relatedLocations"] = [{"id": 1, **_location(trajectory, incident.source_step, place), **words}]
    if incident.state == "dismissed":
        result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    return result


def _location(trajectory: Trajectory, index: int, place: str) -> dict[str, Any]:
    where = place.replace("{id}", quote(trajectory.id, safe=""))
    name = f"step {index + 1}"
    return {
        "physicalLocation": {"artifactLocation": {"uri": where}, "region": {"startLine": index + 1}},
        "logicalLocations": [{"name": name, "fullyQualifiedName": f"{trajectory.id}/{name}"}],
    }


def _not_judged(run: Run) -> list[dict[str, Any]]:
    if run.diagnosis is None:
        return [_notification(f"run {run.trajectory.id}: not judged yet")]
    reasons: dict[str, int] = {}
    for step in run.diagnosis.steps:
        if step.verdict.outcome is Outcome.NOT_EVALUATED and step.verdict.reason is not None:
            reasons[step.verdict.reason.value] = reasons.get(step.verdict.reason.value, 0) + 1
    if not reasons:
        return []
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
    return [_notification(f"run {run.trajectory.id}: steps not evaluated: {told}")]


def _notification(text: str) -> dict[str, Any]:
    return {"level": "warning", "message": {"text": text}}
