"""What repeats over many runs."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from agentdog.client.shapes.runs import Summary
from agentdog.client.shapes.verdicts import Axis, DisplayVerdict


class LabelFlow(TypedDict):
    """How many runs share where, how and what."""

    count: int
    risk_source: NotRequired[str]
    failure_mode: NotRequired[str]
    real_world_harm: NotRequired[str]


class Busy(TypedDict):
    """An agent or a tool, its runs, and those that went wrong."""

    name: str
    runs: int
    unsafe: int


class Case(TypedDict):
    """Runs that are much the same; when the first and the last began."""

    count: int
    first: str
    last: str
    examples: list[Summary]


class Patterns(TypedDict):
    """What repeats; `heat` is axis → label → runs per bucket."""

    since: str
    until: str
    verdicts: dict[DisplayVerdict, int]
    read: int
    flows: list[LabelFlow]
    buckets: list[str]
    heat: dict[Axis, dict[str, list[int]]]
    agents: list[Busy]
    tools: list[Busy]
    cases: list[Case]


class Names(TypedDict):
    """Agents and tools that occur, with how many runs have each."""

    agents: dict[str, int]
    tools: dict[str, int]
