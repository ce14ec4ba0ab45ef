"""Kept runs of ``atbench``: which there are, and what they found."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Evaluation(TypedDict):
    """One run folder; `problem` says why it cannot be read."""

    name: str
    changed: str
    rows: NotRequired[int]
    data: NotRequired[str]
    guard: NotRequired[str]
    mode: NotRequired[str]
    problem: NotRequired[str]


class Evaluations(TypedDict):
    """Run folders, the last changed first; `configured` says whether a folder is named at all."""

    configured: bool
    items: list[Evaluation]


class Reported(TypedDict):
    """A run's report, of schema ``atbench.report/1``."""

    name: str
    report: dict[str, Any]
