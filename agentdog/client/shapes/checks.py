"""Checks before a call is made, and what to change so that one is denied."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from agentdog.client.shapes.verdicts import Evidence, Labels

Decision = Literal["allow", "deny", "review"]


class CheckAnswer(TypedDict):
    """What is to become of a call; `by` is ``on_not_evaluated`` when nobody could say in time, and why is there."""

    decision: Decision
    reason: str
    by: Literal["policy", "guard", "on_not_evaluated"]
    rule: NotRequired[str]
    not_evaluated: NotRequired[str]
    detail: NotRequired[str]
    guard: NotRequired[str]
    p_unsafe: NotRequired[float]
    labels: NotRequired[Labels]
    evidence: NotRequired[list[Evidence]]
    trajectory_id: NotRequired[str]
    steps_seen: NotRequired[int]
    elapsed_ms: NotRequired[float]


class Denied(TypedDict):
    """A call that a rule would have denied; `known`: whether it turned out good, bad, or nobody could say."""

    trajectory_id: str
    title: str
    step: int
    tool: str
    known: Literal["good", "bad", "open"]


class Trial(TypedDict):
    """What a rule would have done to the calls of past runs."""

    runs: int
    calls: int
    bad: int
    good: int
    open: int
    denied: list[Denied]


class Hook(TypedDict):
    """How an agent asks before it acts: lines to add."""

    name: str
    snippet: str


class Remedy(TypedDict):
    """What to change, so that an incident does not happen again; no `rule` where no call can be denied."""

    incident_id: str
    advice: str
    step: NotRequired[int]
    tool: NotRequired[str]
    rule: NotRequired[dict[str, Any]]
    policy: NotRequired[str]
    trial: NotRequired[Trial]
    in_force: NotRequired[str]
    hook: NotRequired[Hook]


class Remedies(TypedDict):
    """What to change in a run, by incident; `last` is how many other runs the rules were tried on."""

    trajectory_id: str
    last: int
    remedies: list[Remedy]
