"""When people are alerted, what a project has learned, and what guards may cost."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Tuning(TypedDict):
    """What was decided about a project's alerts; absent fields were never decided."""

    alerting: NotRequired[Literal["observe", "on"]]
    alert_at: NotRequired[float]
    guard: NotRequired[str]
    max_alerts_per_day: NotRequired[float]
    time: NotRequired[str]


class Calibration(TypedDict):
    """A guard's threshold on the highest P(unsafe) over a run's steps."""

    guard: str
    threshold: float
    false_alarm: float
    groups: int
    source: str
    time: NotRequired[str]


class AlertState(TypedDict):
    """How a project's alerts stand; without `alert_from` every incident alerts. `guard` is name and fingerprint."""

    project: str
    alerting: Literal["observe", "on"]
    basis: Literal["tuned", "calibrated", "uncalibrated"]
    guard: tuple[str, str]
    alert_from: NotRequired[float]
    tuning: NotRequired[Tuning]
    calibration: NotRequired[Calibration]
    note: NotRequired[str]


class Alarm(TypedDict):
    """An alert that a threshold would have raised; steps count from 0."""

    trajectory_id: str
    onset: int
    summary: str
    p_unsafe: NotRequired[float]


class Candidate(TypedDict):
    """One threshold and what it would have alerted; `more`: what the next higher one would not have."""

    threshold: float
    alerts: int
    trajectories: int
    per_day: float
    more: NotRequired[list[Alarm]]


class Replay(TypedDict):
    """Stored verdicts, replayed, from the highest threshold to the lowest."""

    guard: str
    trajectories: int
    days: float
    without_probability: int
    candidates: list[Candidate]
    chosen: NotRequired[Candidate]
    cut: NotRequired[bool]


class LearnedVersion(TypedDict):
    """One model that was learned; `figures` has its cross-validated scores and whether it is `better`."""

    version: str
    made: str
    base: str
    threshold: float
    figures: dict[str, Any]


class Standing(TypedDict):
    """What a project has learned; in any state but ``active`` the guard without it decides."""

    project: str
    state: NotRequired[Literal["off", "active", "drifted", "outdated"]]
    version: NotRequired[str]
    since: NotRequired[str]
    why: NotRequired[str]
    drift: NotRequired[dict[str, Any]]
    versions: NotRequired[list[LearnedVersion]]


class Budget(TypedDict):
    """What guards may cost and did cost in one project; tokens are those that were computed."""

    project: str
    tokens_this_minute: int
    tokens_last_minute: int
    sample: float
    verdicts: int
    labelled: int
    over_budget: int
    not_sampled: int
    cost: float
    tokens_per_minute: NotRequired[int]
    labelled_share: NotRequired[float]


class Budgets(TypedDict):
    """Every project, and all together."""

    items: list[Budget]
    diagnose: str
    diagnose_share: float
    tokens_this_minute: int
    tokens_last_minute: int
    tokens_per_minute: NotRequired[int]


class Judged(TypedDict):
    """What guards said in one project; `tokens` are prompt, cached (of the prompt's), completion."""

    project: str
    verdicts: dict[str, int]
    not_evaluated: dict[str, int]
    tokens: dict[str, int]
    labelled: int


class Timing(TypedDict):
    """A histogram of seconds; `counts` has one part more than `bounds`, the open one."""

    kind: Literal["guard", "span_end", "arrival"]
    bounds: list[float]
    counts: list[int]
    seconds: float


class Figures(TypedDict):
    """How guards do: counts by project, times of all together."""

    items: list[Judged]
    timings: list[Timing]


class Pack(TypedDict):
    """A prompt that can be used; `refused` says why it cannot."""

    name: str
    family: str
    wording: str
    refused: NotRequired[str]
    note: NotRequired[str]


class Moment(TypedDict):
    """Ten seconds: records that arrived, verdicts, and these by how long they took; see the bounds of `Rates`."""

    time: str
    records: NotRequired[int]
    verdicts: NotRequired[int]
    latency: NotRequired[list[int]]


class Rates(TypedDict):
    """The last minutes in parts of `slot_s` seconds, oldest first."""

    slot_s: int
    bounds: list[float]
    items: list[Moment]
