"""An alert: one incident, said so that a person, or a program, can act on it. Pure.

Invariant: without `content` no word of the run is in it: ids, labels, probabilities, and the sentence that we build
from labels and steps (names of tools and agents are in that).
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

import msgspec

from agentdog.diagnosis import Incident
from agentdog.guards import GuardInfo, Labels
from agentdog.trajectory import Trajectory
from agentdog.trajectory.model import title

_QUOTE = 280


class Alert(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="schema", tag="agentdog.alert/1"):
    """The body of a webhook, as JSON.

    Attributes:
        type: ``incident.alert``, or ``test`` where a person asked whether it arrives.
        project: of the run.
        trajectory_id: of the run.
        incident_id: stable; the same incident is never told twice under another id.
        step: of the onset, counted from 1 as people count.
        step_id: its id.
        trace_id: of the judged span, where the step came from one.
        summary: one sentence.
        labels: where, how and what.
        p_unsafe: the guard's probability at onset.
        peak: the highest from there on.
        guard: who judged.
        url: the step in the debugger.
        time: RFC 3339, when it was judged.
        title: first words of the user; only with content.
        quote: the heaviest evidence's words, untrusted; only with content.
    """

    type: Literal["incident.alert", "test"]
    project: str
    trajectory_id: str
    incident_id: str
    step: int
    step_id: str = ""
    trace_id: str | None = None
    summary: str
    labels: Labels = Labels()
    p_unsafe: float | None = None
    peak: float | None = None
    guard: str = ""
    url: str
    time: str
    title: str | None = None
    quote: str | None = None


def link(base: str, trajectory_id: str, step: int) -> str:
    """Returns the debugger's address of a step (index from 0; the address counts from 1)."""
    return f"{base.rstrip('/')}/trajectory?id={quote(trajectory_id, safe='')}&step={step + 1}"


def alert_of(
    trajectory: Trajectory, incident: Incident, guard: GuardInfo, *, base: str, time: str, content: bool
) -> Alert:
    """Builds the alert of one incident.

    Args:
        trajectory: the run.
        incident: of it.
        guard: who judged.
        base: address of the debugger, as people reach it.
        time: RFC 3339, when it was judged.
        content: whether words of the run may be in it.
    """
    step = trajectory.steps[incident.onset] if incident.onset < len(trajectory.steps) else None
    quoted = next((e.quote for e in incident.evidence if e.quote), None) if content else None
    return Alert(
        type="incident.alert",
        project=trajectory.project,
        trajectory_id=trajectory.id,
        incident_id=incident.id,
        step=incident.onset + 1,
        step_id=incident.onset_step_id,
        trace_id=next((s.partition(":")[0] for s in step.sources if not s.startswith("log:")), None) if step else None,
        summary=incident.summary,
        labels=incident.labels,
        p_unsafe=incident.confidence,
        peak=incident.peak,
        guard=guard.name,
        url=link(base, trajectory.id, incident.onset),
        time=time,
        title=title(trajectory) if content else None,
        quote=quoted[:_QUOTE] if quoted else None,
    )


def test_alert(base: str, time: str) -> Alert:
    """Builds a message that says it is a test."""
    return Alert(
        type="test",
        project="test",
        trajectory_id="test",
        incident_id="test",
        step=1,
        summary="This is a test of `agentdog outbound test`: alerts arrive here.",
        url=base,
        time=time,
    )


test_alert.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for one of its own
