"""What becomes of a review, and the rules that dismiss what is alike."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from agentdog.client.shapes.runs import Stored
from agentdog.client.shapes.verdicts import Review


class Like(TypedDict, total=False):
    """What incidents that a rule dismisses have in common."""

    tool: str
    agent: str
    risk_source: str
    failure_mode: str
    real_world_harm: str
    detector: str


class Suppression(TypedDict):
    """A rule that dismisses incidents which are alike, until it expires; `count` says how many so far."""

    id: str
    project: str
    like: Like
    reason: str
    author: str
    created: str
    expires: str
    revoked: NotRequired[str]
    trajectory_id: NotRequired[str]
    count: NotRequired[int]
    last: NotRequired[str]


class ReviewOutcome(TypedDict):
    """The review as kept, the run as it stands now, the rule that was made."""

    review: Review
    stored: Stored
    suppression: NotRequired[Suppression]


class ReviewList(TypedDict):
    """Reviews; `next` is the offset of the next page of runs."""

    reviews: list[Review]
    next: NotRequired[int]


class Suppressions(TypedDict):
    """Suppression rules, oldest first, whatever their state; those whose `expires` is before `now` hold no more."""

    suppressions: list[Suppression]
    now: str
