"""One sentence that a person can read: from labels and steps alone, never from a model's free text. Steps from 1."""

from __future__ import annotations

import taxonomy
from agentdog.guards import Labels
from agentdog.trajectory import Step, Trajectory

_NAME_LIMIT = 60


def summary(
    trajectory: Trajectory,
    onset: int,
    source: int | None,
    labels: Labels,
    *,
    realised: int | None = None,
    recovered: bool | None = None,
) -> str:
    """Says in one sentence what happened.

    Args:
        trajectory: whose steps are named.
        onset: index of the first unsafe step.
        source: of the step that brought the risk in.
        labels: where, how and what.
        realised: of the step that realised the failure, where that is another than the onset.
        recovered: whether it was put right.
    """
    step = trajectory.steps[onset]
    said = f"At step {onset + 1} "
    if step.role == "agent":
        said += f"{_doer(step)} {_deed(step)}{_how(labels)}{_led_by(trajectory, source, labels)}"
    else:
        came = name_of(labels.risk_source) if labels.risk_source else "a risk"
        said += f"{_what(step)} brought in {came}"
        if source is not None and source != onset:
            said += f", which came from {_place(trajectory.steps[source])}"
        if realised is not None:
            acting = trajectory.steps[realised]
            said += f"; at step {realised + 1} {_doer(acting)} {_deed(acting)}{_how(labels)}"
    said += f"; what is at stake: {name_of(labels.real_world_harm)}" if labels.real_world_harm else ""
    return said + ("; it was put right later." if recovered else ".")


def name_of(label_id: str) -> str:
    """A label's name in the taxonomy; a guard's own label is shown as it is."""
    names = taxonomy.load("all")
    return names.name(label_id) if any(label_id in names.ids(axis) for axis in taxonomy.AXES) else label_id


def _how(labels: Labels) -> str:
    return f" ({name_of(labels.failure_mode)})" if labels.failure_mode else ""


def _led_by(trajectory: Trajectory, source: int | None, labels: Labels) -> str:
    place = _place(trajectory.steps[source]) if source is not None else None
    if labels.risk_source:
        return f", led by {name_of(labels.risk_source)}" + (f" in {place}" if place else "")
    return f", led by {place}" if place else ""


def _doer(step: Step) -> str:
    return _short(step.agent) if step.agent else "the agent"


def _deed(step: Step) -> str:
    if not step.tool_calls:
        return "answered"
    return "called " + " and ".join(dict.fromkeys(_short(call.name) for call in step.tool_calls))


def _what(step: Step) -> str:
    return "the user's words" if step.role == "user" else f"the result of {_short(step.name or 'a tool')}"


def _place(step: Step) -> str:
    where = "the agent's own words" if step.role == "agent" else _what(step)
    return f"{where} (step {step.index + 1})"


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= _NAME_LIMIT else line[: _NAME_LIMIT - 1] + "…"
