"""Labelled rows taken in: the runs as telemetry that would have told them, and their labels as reviews.

Invariant: a row leads to the run that weaving its telemetry gives, so reviews may come before the runs are woven, and
taking a file in twice is taking it in once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

import taxonomy
from agentdog.base.clock import rfc3339
from agentdog.base.errors import UsageError
from agentdog.cli.sending import Sender
from agentdog.client import Client
from agentdog.client.shapes import Review as Shown
from agentdog.guards import Labels
from agentdog.review import OF_RUN, Review, review_id
from agentdog.spans import reconstruct
from agentdog.spans.records import Span
from agentdog.spans.retell import retell
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats import sniff
from agentdog.trajectory.formats.case import Case, Gold

_UNSAFE, _SAFE = 1, 0


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of labelled rows: runs sent, reviews that were new and known, rows that have no label."""

    runs: int
    reviews: int
    known: int
    unlabelled: int


def take(path: Path, project: str, author: str, client: Client, sender: Sender) -> Taken:
    """Sends the runs of a file of labelled rows, and says of each what its label says.

    Raises:
        DecodeError: the file is in no format of labelled rows.
        UsageError: a row is unsafe and does not say at which step.
    """
    time_ns = path.stat().st_mtime_ns
    told: list[Span] = []
    reviews: list[Review] = []
    unlabelled = runs = 0
    for case in sniff.read(path):
        spans = retell(case.trajectory, undated_ns=time_ns)
        (run,) = reconstruct(spans, project=project)
        review = _review(case, run, author, rfc3339(time_ns))
        told += spans
        runs += 1
        unlabelled += review is None
        reviews += [review] if review is not None else []
    try:
        for _ in sender.send(told):
            pass
    finally:
        sender.close()
    counts = client.import_reviews(_shown(reviews), []) if reviews else {"reviews": 0, "known": 0}
    return Taken(runs=runs, reviews=counts["reviews"], known=counts["known"], unlabelled=unlabelled)


def _shown(reviews: Sequence[Review]) -> list[Shown]:
    shown: list[Shown] = msgspec.to_builtins(reviews)
    return shown


def _review(case: Case, run: Trajectory, author: str, time: str) -> Review | None:
    if case.label == _SAFE:
        return _said(run, author, time, "approve", OF_RUN)
    if case.label != _UNSAFE:
        return None
    at = case.unsafe_step
    if at is None or at >= len(run.steps):
        raise UsageError(
            f"row {case.trajectory.id}: label 1 without unsafe_step; a mark needs its step (index, from 0): add it"
        )
    step = run.steps[at]
    marked = _said(run, author, time, "mark", f"step:{step.id}")
    return msgspec.structs.replace(marked, step_id=step.id, step=at, labels=_labels(case.gold))


def _said(run: Trajectory, author: str, time: str, action: str, subject: str) -> Review:
    fields = {"id": review_id(run.id, subject, action, author), "project": run.project, "trajectory_id": run.id}
    return msgspec.convert(
        fields | {"action": action, "subject": subject, "time": time, "author": author, "version": 1}, Review
    )


def _labels(gold: Gold) -> Labels:
    """The axes by the taxonomy's ids; a spelling that it does not know is left out."""
    names = taxonomy.load("all")
    spelled = {axis: getattr(gold, axis) for axis in taxonomy.AXES}
    return Labels(**{axis: names.normalise(axis, text) for axis, text in spelled.items() if text})
