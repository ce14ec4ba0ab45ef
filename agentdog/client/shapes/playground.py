"""What a document holds, judged step by step and kept nowhere."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from agentdog.client.shapes.runs import Flow, View
from agentdog.client.shapes.verdicts import Labels


class Annotated(TypedDict):
    """What the document's annotators say: 1 unsafe, 0 safe, labels as written there, the step from 0."""

    label: NotRequired[int]
    labels: NotRequired[Labels]
    unsafe_step: NotRequired[int]


class JudgedRun(TypedDict):
    """One run; `flows` are the ways of its values by step index as text."""

    view: View
    flows: dict[str, list[Flow]]
    annotated: NotRequired[Annotated]


class Played(TypedDict):
    """What a document was taken for, and the first of its `total` runs."""

    format: str
    total: int
    runs: list[JudgedRun]
