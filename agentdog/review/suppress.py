"""Which incidents a suppression rule dismisses, and how a rule is made from one of them.

Invariant: a rule never dismisses what a person has looked at; it says so in a review of its own, which names the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agentdog.base.errors import UsageError
from agentdog.diagnosis import Diagnosis, Incident
from agentdog.review.model import Like, Review, Suppression, review_id
from agentdog.trajectory import Step, Trajectory

RULE = "rule"


def like(incident: Incident, trajectory: Trajectory) -> Like:
    """Returns what "all like this" means: the same deed, for the same reason, in the same way."""
    step = _onset(incident, trajectory)
    return Like(
        tool=step.tool_calls[0].name if step is not None and step.tool_calls else None,
        agent=step.agent if step is not None else None,
        risk_source=incident.labels.risk_source,
        failure_mode=incident.labels.failure_mode,
        detector=_heaviest(incident),
    )


def matches(wanted: Like, incident: Incident, trajectory: Trajectory) -> bool:
    """Whether an incident is like that."""
    step = _onset(incident, trajectory)
    tools = {call.name for call in step.tool_calls} if step is not None else set()
    checks: tuple[tuple[str | None, Callable[[], bool]], ...] = (
        (wanted.tool, lambda: wanted.tool in tools),
        (wanted.agent, lambda: step is not None and step.agent == wanted.agent),
        (wanted.risk_source, lambda: incident.labels.risk_source == wanted.risk_source),
        (wanted.failure_mode, lambda: incident.labels.failure_mode == wanted.failure_mode),
        (wanted.real_world_harm, lambda: incident.labels.real_world_harm == wanted.real_world_harm),
        (wanted.detector, lambda: _heaviest(incident) == wanted.detector),
    )
    return all(check() for stated, check in checks if stated is not None)


def check(wanted: Like) -> None:
    """Refuses what would dismiss nearly everything; raises `UsageError`."""
    if wanted.tool is None and wanted.failure_mode is None and wanted.detector is None:
        raise UsageError("like: state at least one of tool, failure_mode, detector; else it dismisses too much")


def suppressed(
    diagnosis: Diagnosis, trajectory: Trajectory, rules: Iterable[Suppression], reviews: Sequence[Review], now: str
) -> list[Review]:
    """Returns the reviews with which rules dismiss incidents that nobody has reviewed."""
    known = {review.subject for review in reviews}
    in_force = sorted((rule for rule in rules if rule.holds(now)), key=lambda rule: (rule.created, rule.id))
    found = []
    for incident in diagnosis.incidents:
        if incident.id in known or incident.state != "open":
            continue
        rule = next((rule for rule in in_force if matches(rule.like, incident, trajectory)), None)
        if rule is not None:
            found.append(_dismissal(rule, incident, trajectory, now))
    return found


def _dismissal(rule: Suppression, incident: Incident, trajectory: Trajectory, now: str) -> Review:
    return Review(
        id=review_id(rule.id, trajectory.project, trajectory.id, incident.id),
        project=trajectory.project,
        trajectory_id=trajectory.id,
        action="dismiss",
        subject=incident.id,
        time=now,
        author=RULE,
        step_id=incident.onset_step_id,
        step=incident.onset,
        note=rule.reason,
        rule=rule.id,
        incident=incident,
    )


def _onset(incident: Incident, trajectory: Trajectory) -> Step | None:
    return next((s for s in trajectory.steps if s.id == incident.onset_step_id), None)


def _heaviest(incident: Incident) -> str | None:
    heaviest = max(incident.evidence, key=lambda e: e.weight, default=None)
    return heaviest.detector if heaviest else None
