"""What people say about runs: reviews, and rules that dismiss what looks like what they dismissed.

Invariants: a review is never changed, a later one of the same subject supersedes it and both stay readable; a review
knows the incident as it was seen, so that judging anew loses nothing that a person said.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agentdog.base.ids import digest
from agentdog.diagnosis import Incident
from agentdog.guards import Labels

#: confirm, correct, dismiss and reopen are of an incident; mark is of a step that nobody flagged, unmark takes it back;
#: approve says of a whole run that nothing is wrong with it, doubt takes that back.
Action = Literal["confirm", "correct", "dismiss", "reopen", "mark", "unmark", "approve", "doubt"]
OF_INCIDENT = frozenset({"confirm", "correct", "dismiss", "reopen"})
OF_STEP = frozenset({"mark", "unmark"})
OF_RUN = "run"
#: What a label is corrected to when the axis has none.
NO_LABEL = ""


class Review(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that one person said, once.

    Attributes:
        id: of this very review; importing it twice is importing it once.
        project: of the run.
        trajectory_id: the run, by the id that it had then.
        action: what was said.
        subject: what it is about: an incident's id, ``step:STEP_ID`` or ``run``; the newest review of a subject holds.
        version: 1 for the first review of its subject, then counting; 0 until it is kept.
        time: RFC 3339.
        author: who said it, as he or his token names himself.
        step_id: the incident's onset, or the marked step.
        step: its index then.
        labels: the axes as corrected; an axis that is absent stays as the guard put it, ``""`` is none.
        onset_step_id: the step at which it really goes wrong.
        onset: its index then.
        note: why, in the reviewer's words.
        rule: id of the suppression rule that said it, when no person did.
        incident: the incident as it stood.
    """

    id: str
    project: str
    trajectory_id: str
    action: Action
    subject: str
    version: int = 0
    time: str
    author: str
    step_id: str | None = None
    step: int | None = None
    labels: Labels | None = None
    onset_step_id: str | None = None
    onset: int | None = None
    note: str | None = None
    rule: str | None = None
    incident: Incident | None = None


class Like(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """What incidents have in common that a rule dismisses; every stated field must be equal.

    Attributes:
        tool: a tool that the onset step calls.
        agent: who acts there.
        risk_source: where.
        failure_mode: how.
        real_world_harm: what.
        detector: of the heaviest evidence.
    """

    tool: str | None = None
    agent: str | None = None
    risk_source: str | None = None
    failure_mode: str | None = None
    real_world_harm: str | None = None
    detector: str | None = None


class Suppression(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A rule that dismisses incidents which are all alike, until it expires.

    Attributes:
        id: unique.
        project: where it holds.
        like: what they have in common.
        reason: why, in words.
        author: who made it.
        created: RFC 3339.
        expires: RFC 3339; what is judged from then on is not dismissed any more.
        revoked: RFC 3339 time at which somebody ended it before.
        trajectory_id: the run whose incident it was made from.
        count: incidents dismissed by it so far.
        last: RFC 3339 time of the last.
    """

    id: str
    project: str
    like: Like
    reason: str
    author: str
    created: str
    expires: str
    revoked: str | None = None
    trajectory_id: str | None = None
    count: int = 0
    last: str | None = None

    def holds(self, now: str) -> bool:
        """Whether it dismisses what is judged now (RFC 3339, UTC, nine digits: such times sort as text)."""
        return self.revoked is None and self.created <= now < self.expires


def review_id(*parts: str) -> str:
    """Names a review by what it says."""
    return digest("review", *parts, size=8)
