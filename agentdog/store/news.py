"""What is told of a run: events in the feed, alerts in the outbox; of each incident once.

Invariant: an incident is marked after it was published, so a crash in between repeats an announcement; the other order
would lose one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentdog.diagnosis import Alerting, Incident
from agentdog.outbound import alert_unit
from agentdog.store import keys
from agentdog.store.contract import FeedEvent, Summary
from agentdog.store.feed import Feed
from agentdog.store.figures import Figures
from agentdog.store.link import Command, Link
from agentdog.store.outbox import ALERTED, Outbox

_ANNOUNCED = "announced:"


class News:
    """Tells of diagnoses."""

    def __init__(self, link: Link, feed: Feed) -> None:
        self._link = link
        self._feed = feed
        self._figures = Figures(link)
        self._outbox = Outbox(link)

    async def announce(
        self,
        project: str,
        told: Sequence[Incident],
        summary: Summary,
        events: Sequence[FeedEvent],
        noted: Sequence[Sequence[Command]],
        alerting: Alerting,
    ) -> None:
        """Tells of a diagnosis, and of those of its incidents that nobody was told of.

        Args:
            project: of the run.
            told: its incidents that stand.
            summary: of the run, with this diagnosis.
            events: what else is published.
            noted: commands that are sent before, in stages.
            alerting: whether alerts are sent, or only counted.
        """
        run, now = summary.id, summary.updated_at
        name = keys.trajectory(project, run)
        opened = await self._unmarked(name, _ANNOUNCED, told)
        alerts = await self._unmarked(name, ALERTED, [i for i in told if i.alert])
        events = [*events, *(event("incident.opened", summary, now, incident) for incident in opened)]
        if alerting == "on":
            events += [event("alert.raised", summary, now, incident) for incident in alerts]
            await self._outbox.enqueue(project, [alert_unit(each.id, run) for each in alerts])
        marks = [_ANNOUNCED + each.id for each in opened] + [ALERTED + each.id for each in alerts]
        marking: list[Command] = [("HSETNX", name, mark, now) for mark in marks]
        await self._link.stages(*noted, self._feed.publishing(events), marking)
        if alerts:
            await self._figures.add({("alerts", project, alerting): len(alerts)})

    async def _unmarked(self, name: str, mark: str, incidents: Sequence[Incident]) -> list[Incident]:
        """Returns those of a trajectory's incidents that do not have the mark yet."""
        if not incidents:
            return []
        seen = await self._link.one("HMGET", name, *(mark + incident.id for incident in incidents))
        return [incident for incident, known in zip(incidents, seen, strict=True) if not known]


def event(kind: str, summary: Summary, now: str, incident: Incident | None = None) -> FeedEvent:
    """Words what happened to a run, or to one of its incidents, at a time (RFC 3339)."""
    fields = {
        "incident_id": incident.id if incident else None,
        "cursor": "",
        "type": kind,
        "project": summary.project,
        "trajectory_id": summary.id,
        "time": now,
        "verdict": summary.verdict,
        "title": summary.title,
    }
    return msgspec.convert(fields, FeedEvent)
