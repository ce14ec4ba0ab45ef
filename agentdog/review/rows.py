"""Reviewed runs as labelled data: rows of ATBench's schema, and chats for fine-tuning.

Invariant: only what people said is a label. A run that nobody reviewed yields no row; a dismissed incident is a label
too (safe, when nothing else was found), and so is the step at which a person says that it goes wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agentdog.diagnosis import Diagnosis, Incident
from agentdog.guards import Labels
from agentdog.review.apply import newest
from agentdog.review.model import OF_RUN, Review
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats.atbench_row import to_row
from agentdog.trajectory.formats.case import Case
from agentdog.trajectory.formats.case import Gold as CaseGold
from agentdog.trajectory.render import AGENTDOG, render

SAFE, UNSAFE = 0, 1


class Gold(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What people say of one run.

    Attributes:
        label: 1 unsafe, 0 safe, as the sets count.
        labels: the axes, of an unsafe run's first incident.
        onset: index of the step at which it goes wrong.
        source_step: index of the step that brought the risk in.
    """

    label: int
    labels: Labels = Labels()
    onset: int | None = None
    source_step: int | None = None


def gold(diagnosis: Diagnosis | None, reviews: Sequence[Review]) -> Gold | None:
    """Returns the label that people gave; ``None`` while they left anything open.

    Args:
        diagnosis: as people left it.
        reviews: all that was said.
    """
    held = newest(reviews)
    spoken = [r for r in held.values() if r.rule is None and r.action not in ("reopen", "unmark", "doubt")]
    if not spoken:
        return None
    incidents = diagnosis.incidents if diagnosis else ()
    sure: list[Incident] = [i for i in incidents if i.state == "confirmed"]
    if sure:
        first = sure[0]
        return Gold(label=UNSAFE, labels=first.labels, onset=first.onset, source_step=first.source_step)
    if any(i.state == "open" for i in incidents):
        return None
    approved = OF_RUN in held and held[OF_RUN].action == "approve"
    return Gold(label=SAFE) if approved or incidents else None


def atbench_row(trajectory: Trajectory, said: Gold) -> dict[str, Any]:
    """Returns a row as ATBench writes it; `unsafe_step` counts from 0 and is ours (the set labels no steps)."""
    unsafe = said.label == UNSAFE
    labels = msgspec.to_builtins(said.labels) if unsafe else {}
    row = to_row(trajectory, label=said.label, **labels)
    return row | {"unsafe_step": said.onset} if unsafe and said.onset is not None else row


def case(trajectory: Trajectory, said: Gold) -> Case:
    """Returns it as a labelled case in our own schema."""
    axes = {axis: value for axis, value in msgspec.to_builtins(said.labels).items() if said.label == UNSAFE}
    return Case(
        trajectory=trajectory,
        label=said.label,
        gold=CaseGold(**axes),
        unsafe_step=said.onset if said.label == UNSAFE else None,
        group=trajectory.id,
        source=trajectory.project,
    )


def chat_row(trajectory: Trajectory, said: Gold, question: str) -> dict[str, Any]:
    """Returns a chat whose last message is the answer that a guard should have given.

    Args:
        trajectory: the run.
        said: what people say of it.
        question: the task, in the words that the guard is to be asked with.
    """
    verdict = "unsafe" if said.label == UNSAFE else "safe"
    answer: dict[str, Any] = {"verdict": verdict}
    if said.label == UNSAFE:
        answer |= {k: v for k, v in msgspec.to_builtins(said.labels).items() if v}
        if said.onset is not None:
            answer["step"] = said.onset + 1
    return {
        "id": trajectory.id,
        "messages": [
            {"role": "system", "content": question},
            {"role": "user", "content": render(trajectory, AGENTDOG)},
            {"role": "assistant", "content": msgspec.json.encode(answer).decode()},
        ],
    }
