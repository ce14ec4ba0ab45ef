"""What a list shows of a trajectory, and by which facets it is found. Pure.

A trajectory's hash keeps a *base* (what the trajectory says) and an *overlay* (what its diagnosis adds), so that
neither side needs the other's large blob to bring the row up to date.
"""

from __future__ import annotations

import msgspec

from agentdog.base.clock import parse_rfc3339
from agentdog.diagnosis import Diagnosis
from agentdog.guards import Outcome
from agentdog.review import Reviewed
from agentdog.store.contract import DisplayVerdict, Summary, display_verdict
from agentdog.trajectory import Trajectory, title


class Overlay(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A diagnosis as the list shows it; `digest` is that of the version it judged."""

    digest: str
    verdict: DisplayVerdict
    p_unsafe: float | None = None
    risk_source: str | None = None
    failure_mode: str | None = None
    real_world_harm: str | None = None
    incidents: int = 0
    open: int = 0
    reviewed: Reviewed | None = None


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """A trajectory as the list shows it before anyone judged it."""

    digest: str
    summary: Summary


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the list: revision of its trajectory, place in time (µs), facets it is indexed by."""

    rev: int
    score: int
    facets: tuple[str, ...]
    summary: Summary


def base_of(trajectory: Trajectory, now: str) -> Base:
    """Summarises a trajectory; one without any times is placed at `now` (RFC 3339)."""
    starts = [s.start_time for s in trajectory.steps if s.start_time]
    ends = [s.end_time or s.start_time for s in trajectory.steps if s.end_time or s.start_time]
    tools = {call.name for step in trajectory.steps for call in step.tool_calls}
    return Base(
        digest=trajectory.digest,
        summary=Summary(
            id=trajectory.id,
            project=trajectory.project,
            title=title(trajectory),
            agents=tuple(sorted(name for name in trajectory.agents if name)),
            verdict="pending",
            incidents=0,
            steps=len(trajectory.steps),
            completion=trajectory.completion,
            missing=trajectory.missing,
            session_id=trajectory.session_id,
            tools=tuple(sorted(tools)),
            start_time=min(starts, default=now),
            end_time=max((e for e in ends if e), default=now),
            updated_at=now,
        ),
    )


def overlay_of(diagnosis: Diagnosis, *, complete: bool, reviewed: Reviewed | None = None) -> Overlay:
    """Summarises a diagnosis as people left it: labels are those of its first incident that is not dismissed.

    While verdicts are still to come nothing milder than unsafe is said.
    """
    settled = complete or diagnosis.verdict is Outcome.UNSAFE
    standing = diagnosis.standing
    first = standing[0] if standing else None
    return Overlay(
        digest=diagnosis.digest,
        verdict=display_verdict(diagnosis) if settled else "pending",
        p_unsafe=diagnosis.p_unsafe,
        risk_source=first.labels.risk_source if first else None,
        failure_mode=first.labels.failure_mode if first else None,
        real_world_harm=first.labels.real_world_harm if first else None,
        incidents=len(standing),
        open=sum(incident.state == "open" for incident in standing),
        reviewed=reviewed,
    )


def summarise(base: Base, overlay: Overlay | None, now: str) -> Summary:
    """Lays a diagnosis over a trajectory's row.

    A diagnosis of an earlier version still counts when it says unsafe, since what happened stays happened; anything
    milder is pending again, since the new steps were not judged.
    """
    if overlay is None:
        return msgspec.structs.replace(base.summary, updated_at=now)
    current = overlay.digest == base.digest or overlay.verdict == "unsafe" or overlay.reviewed == "approved"
    return msgspec.structs.replace(
        base.summary,
        verdict=overlay.verdict if current else "pending",
        p_unsafe=overlay.p_unsafe if current else None,
        risk_source=overlay.risk_source,
        failure_mode=overlay.failure_mode,
        real_world_harm=overlay.real_world_harm,
        incidents=overlay.incidents,
        open=overlay.open,
        reviewed=overlay.reviewed,
        updated_at=now,
    )


def row_of(summary: Summary, rev: int) -> Row:
    """Places a summary in the list."""
    labels = [("risk_source", summary.risk_source), ("failure_mode", summary.failure_mode)]
    labels.append(("real_world_harm", summary.real_world_harm))
    facets = {"all", facet("verdict", summary.verdict)}
    facets.add(facet("reviewed", "yes" if summary.reviewed else "no"))
    if summary.open:
        facets.add(facet("open", "yes"))
    facets |= {facet(axis, label) for axis, label in labels if label}
    facets |= {facet("agent", name) for name in summary.agents} | {facet("tool", name) for name in summary.tools}
    return Row(rev=rev, score=micros(summary.start_time), facets=tuple(sorted(facets)), summary=summary)


def facet(name: str, value: str) -> str:
    """Names a facet."""
    return f"{name}={value}"


def micros(time: str) -> int:
    """Returns a time as microseconds: a sorted set's score is a double, exact up to 2⁵³."""
    return parse_rfc3339(time) // 1000
