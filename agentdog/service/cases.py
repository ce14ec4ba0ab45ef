"""A stored run as a regression case: where it goes wrong by what people said of it, else by its diagnosis."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentdog.base.clock import SystemClock, rfc3339
from agentdog.base.errors import UsageError
from agentdog.diagnosis import Diagnosis
from agentdog.policy.regression import Regression
from agentdog.review import Review
from agentdog.review.rows import UNSAFE, gold
from agentdog.trajectory import Trajectory

_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def case_of(
    trajectory: Trajectory,
    diagnosis: Diagnosis | None,
    reviews: Sequence[Review],
    *,
    name: str | None = None,
    note: str | None = None,
) -> Regression:
    """Makes a case of a run.

    Args:
        trajectory: the run.
        diagnosis: of it, where it was judged.
        reviews: what people said of it.
        name: of the case; the run's id by default.
        note: why it is kept.

    Raises:
        UsageError: nobody knows yet how the run is, or the name is none.
    """
    said = gold(diagnosis, reviews)
    standing = diagnosis.standing if diagnosis is not None else ()
    if said is None and diagnosis is None:
        raise UsageError("the run was not judged yet, and nobody said anything of it; wait, or `agentdog review say`")
    chosen = name or trajectory.id
    kept = _NAME.sub("-", chosen).strip("-.")
    if not kept or (name is not None and kept != name):
        raise UsageError("--name: letters, digits, '.', '_' and '-' make a name")
    if said is not None:
        bad, labels = (said.onset, said.labels) if said.label == UNSAFE else (None, None)
    else:
        bad, labels = (standing[0].onset, standing[0].labels) if standing else (None, None)
    return Regression(
        name=kept,
        saved_at=rfc3339(SystemClock().now_ns()),
        trajectory=trajectory,
        bad_step=bad,
        labels=labels,
        by="person" if said is not None or diagnosis is None else diagnosis.guard.name,
        note=note,
    )
