"""What people make of runs: reviews, suppression rules, labelled rows. Pure."""

from agentdog.review.apply import PERSON, Reviewed, apply, newest, reviewed, states
from agentdog.review.model import (
    NO_LABEL,
    OF_INCIDENT,
    OF_RUN,
    OF_STEP,
    Action,
    Like,
    Review,
    Suppression,
    review_id,
)
from agentdog.review.suppress import check, like, matches, suppressed

__all__ = [
    "NO_LABEL",
    "OF_INCIDENT",
    "OF_RUN",
    "OF_STEP",
    "PERSON",
    "Action",
    "Like",
    "Review",
    "Reviewed",
    "Suppression",
    "apply",
    "check",
    "like",
    "matches",
    "newest",
    "review_id",
    "reviewed",
    "states",
    "suppressed",
]
