"""What a person says of a run, checked against the run and kept; and rules made from it.

Invariant: what is kept refers to an incident or a step that was there when it was said; labels are the taxonomy's.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated

import msgspec

import taxonomy
from agentdog.base.clock import Clock, SystemClock, parse_rfc3339, rfc3339
from agentdog.base.errors import NotFoundError, UsageError
from agentdog.diagnosis import Incident
from agentdog.guards import Labels
from agentdog.review import OF_INCIDENT, OF_RUN, OF_STEP, Action, Like, Review, Suppression, like, review_id, suppressed
from agentdog.review import check as check_like
from agentdog.store.contract import Query, Store, Stored
from agentdog.trajectory import Step

_DAY_NS = 86_400_000_000_000
DEFAULT_DAYS, MAX_DAYS = 30, 366
#: Runs that a new rule looks back at, newest first.
LOOKED_BACK = 500
_PAGE = 200

Words = Annotated[str, msgspec.Meta(max_length=4000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Days = Annotated[float, msgspec.Meta(gt=0, le=MAX_DAYS)]


class Suppress(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """What "all like this" means: with a dismissal, or on its own.

    Attributes:
        reason: why such incidents are harmless.
        days: until it expires.
        like: what they have in common; taken from the incident when left out.
    """

    reason: Words = ""
    days: Days = DEFAULT_DAYS
    like: Like | None = None


class Said(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a review.

    Attributes:
        trajectory_id: any id of the run.
        action: confirm, correct, dismiss, reopen (of an incident); mark, unmark (of a step); approve, doubt (of a run).
        incident_id: which incident; may be left out where there is only one.
        step: index of the step, from 0: the one that is marked, or the onset as corrected.
        labels: the axes as corrected, or of a marked step; ``""`` says that an axis has none.
        note: why.
        author: who says it.
        project: where to look.
        suppress: dismiss all like this from now on.
    """

    trajectory_id: Name
    action: Action
    incident_id: Name | None = None
    step: Annotated[int, msgspec.Meta(ge=0)] | None = None
    labels: Labels | None = None
    note: Words | None = None
    author: Name = "someone"
    project: Name | None = None
    suppress: Suppress | None = None


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What became of it: the review as kept, the run as it stands now, the rule that was made."""

    review: Review
    stored: Stored
    suppression: Suppression | None = None


class Reviewing:
    """Takes reviews and suppression rules."""

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()

    def now(self) -> str:
        """Returns the time by which rules hold or have expired."""
        return rfc3339(self._clock.now_ns())

    async def say(self, said: Said, stored: Stored) -> Outcome:
        """Keeps what a person said of a run.

        Raises:
            UsageError: it does not fit the run; naming the field.
        """
        now = rfc3339(self._clock.now_ns())
        _check_labels(said.labels)
        review, incident = _review(said, stored, now)
        if said.suppress is not None and (said.action != "dismiss" or incident is None):
            raise UsageError("suppress: goes with the dismissal of an incident")
        wanted = None
        if said.suppress is not None and incident is not None:
            wanted = said.suppress.like or like(incident, stored.trajectory)
            _check_like(wanted)  # before anything is kept: what is refused leaves nothing behind
        kept = await self._store.add_review(review)
        rule = None
        if said.suppress is not None and wanted is not None:
            rule = await self.suppress(said.suppress, wanted, stored.summary.project, said.author, stored.summary.id)
        fresh = await self._store.get(stored.summary.id, stored.summary.project)
        return Outcome(review=kept or review, stored=fresh or stored, suppression=rule)

    async def suppress(
        self, asked: Suppress, wanted: Like, project: str, author: str, trajectory_id: str | None = None
    ) -> Suppression:
        """Makes a rule, and applies it to what is open already; returns it with its count."""
        _check_like(wanted)
        now_ns = self._clock.now_ns()
        rule = Suppression(
            id=f"s{secrets.token_hex(6)}",
            project=project,
            like=wanted,
            reason=asked.reason or "dismissed by a reviewer",
            author=author,
            created=rfc3339(now_ns),
            expires=rfc3339(now_ns + int(asked.days * _DAY_NS)),
            trajectory_id=trajectory_id,
        )
        await self._store.save_suppression(rule)
        await self._look_back(rule)
        return await self.rule(rule.id)

    async def rule(self, rule_id: str) -> Suppression:
        """Returns a rule with its count; raises `NotFoundError`."""
        for rule in await self._store.suppressions():
            if rule.id == rule_id:
                return rule
        raise NotFoundError(f"no suppression rule has the id {rule_id!r}")

    async def revoke(self, rule_id: str) -> Suppression:
        """Ends a rule now; what it dismissed stays dismissed until somebody reopens it."""
        rule = await self.rule(rule_id)
        if rule.revoked is None:
            await self._store.save_suppression(msgspec.structs.replace(rule, revoked=rfc3339(self._clock.now_ns())))
        return await self.rule(rule_id)

    async def take(self, reviews: Sequence[Review], rules: Sequence[Suppression]) -> dict[str, int]:
        """Takes reviews and rules that were exported; those that are there already are left alone."""
        for review in reviews:
            _check_labels(review.labels)
            _check_time("time", review.time)
        known = {rule.id for rule in await self._store.suppressions()}
        for rule in rules:
            _check_time("expires", rule.expires)
            if rule.id not in known:
                await self._store.save_suppression(rule)
        new = [await self._store.add_review(review) for review in sorted(reviews, key=lambda r: (r.time, r.version))]
        return {
            "reviews": sum(review is not None for review in new),
            "known": sum(review is None for review in new),
            "suppressions": sum(rule.id not in known for rule in rules),
        }

    async def _look_back(self, rule: Suppression) -> None:
        cursor, seen = None, 0
        while seen < LOOKED_BACK:
            query = Query(project=rule.project, verdict="unsafe", limit=_PAGE, cursor=cursor)
            page = await self._store.list(query)
            for summary in page.items:
                stored = await self._store.get(summary.id, rule.project)
                if stored is None or stored.diagnosis is None:
                    continue
                found = suppressed(stored.diagnosis, stored.trajectory, [rule], stored.reviews, rule.created)
                for review in found:
                    await self._store.add_review(review)
            seen, cursor = seen + len(page.items), page.next
            if cursor is None:
                return


def _review(said: Said, stored: Stored, now: str) -> tuple[Review, Incident | None]:
    incident: Incident | None = None
    fields: dict[str, object] = {}
    if said.action in OF_INCIDENT:
        incident = _incident(said, stored)
        subject = incident.id
        fields = {"step_id": incident.onset_step_id, "step": incident.onset, "incident": incident}
        if said.action == "correct":
            if said.labels is None and said.step is None:
                raise UsageError("action: correct what? give labels, or step for the onset")
            if said.step is not None:
                onset = _step(said.step, stored)
                fields |= {"onset_step_id": onset.id, "onset": onset.index}
            fields["labels"] = said.labels
        elif said.labels is not None or said.step is not None:
            raise UsageError(f"labels and step go with correct and mark, not with {said.action}")
    elif said.action in OF_STEP:
        if said.step is None:
            raise UsageError(f"step: which step? {said.action} needs one, counted from 0")
        step = _step(said.step, stored)
        subject = f"step:{step.id}"
        fields = {"step_id": step.id, "step": step.index, "labels": said.labels}
    else:
        subject = OF_RUN
    review = Review(
        id=review_id(stored.summary.id, subject, said.action, now, secrets.token_hex(4)),
        project=stored.summary.project,
        trajectory_id=stored.summary.id,
        action=said.action,
        subject=subject,
        time=now,
        author=said.author,
        note=said.note or None,
        **fields,  # type: ignore[arg-type]
    )
    return review, incident


def _incident(said: Said, stored: Stored) -> Incident:
    incidents = stored.diagnosis.incidents if stored.diagnosis else ()
    if not incidents:
        raise UsageError(f"action: the run has no incident to {said.action}; mark a step instead")
    if said.incident_id is None:
        if len(incidents) > 1:
            raise UsageError(f"incident_id: which one? the run has {', '.join(i.id for i in incidents)}")
        return incidents[0]
    found = next((i for i in incidents if i.id == said.incident_id), None)
    if found is None:
        raise UsageError(f"incident_id: {said.incident_id!r} is none of {', '.join(i.id for i in incidents)}")
    return found


def _step(index: int, stored: Stored) -> Step:
    steps = stored.trajectory.steps
    if index >= len(steps):
        raise UsageError(f"step: the run has {len(steps)} steps, counted from 0; there is no {index}")
    return steps[index]


def _check_like(wanted: Like) -> None:
    check_like(wanted)
    _check_labels(Labels(**{axis: getattr(wanted, axis) for axis in taxonomy.AXES}))


def _check_labels(labels: Labels | None) -> None:
    names = taxonomy.load("all")
    for axis in taxonomy.AXES if labels is not None else ():
        value = getattr(labels, axis)
        if value and value not in names.ids(axis):
            raise UsageError(f"labels.{axis}: {value!r} is unknown; use one of {', '.join(names.ids(axis))}")


def _check_time(field: str, time: str) -> None:
    try:
        parse_rfc3339(time)
    except ValueError as error:
        raise UsageError(f"{field}: {time[:40]!r} is no RFC 3339 time in UTC") from error
