"""Which texts of a run are searched: the title and what users said, and what evidence says and quotes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agentdog.diagnosis import Diagnosis
from agentdog.store.words import words_of
from agentdog.trajectory import Trajectory

#: Characters of one text that are searched.
READ = 10_000


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One text that is searched, and the index of the step that it stands in."""

    step: int
    kind: str
    text: str


def said(trajectory: Trajectory) -> Iterator[Passage]:
    """Yields what users said."""
    for step in trajectory.steps:
        if step.role == "user" and step.content:
            yield Passage(step=step.index, kind="user", text=step.content[:READ])


def found(diagnosis: Diagnosis) -> Iterator[Passage]:
    """Yields what evidence says and quotes."""
    for incident in diagnosis.incidents:
        yield Passage(step=incident.onset, kind="incident", text=incident.summary[:READ])
        for item in incident.evidence:
            yield Passage(step=item.step, kind="evidence", text=f"{item.message}\n{item.quote or ''}"[:READ])


def passages(trajectory: Trajectory, diagnosis: Diagnosis | None) -> list[Passage]:
    """Returns all texts of a run that are searched, evidence first: it is what a reader looks for."""
    return [*(found(diagnosis) if diagnosis else ()), *said(trajectory)]


def holds(text: str, wanted: list[str]) -> int:
    """Counts how many of some words a text holds; the last may be the beginning of one."""
    have = set(words_of(text))
    full = sum(word in have for word in wanted[:-1])
    return full + bool(wanted and any(word.startswith(wanted[-1]) for word in have))
