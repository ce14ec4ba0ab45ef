"""What an operator looks after: what was refused, given up, sent, deleted, and whether the guard answers."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from agentdog.client.shapes.verdicts import GuardInfo


class ScopeStats(TypedDict):
    """What became of one instrumentation's records."""

    scope: str
    understood: NotRequired[int]
    without_content: NotRequired[int]
    unknown: NotRequired[int]
    reason: NotRequired[str]
    mend: NotRequired[str]


class Scopes(TypedDict):
    """Instrumentations, from a sample of what is stored."""

    scopes: list[ScopeStats]


class Rejection(TypedDict):
    """A span or record that was refused: which, why, when."""

    project: str
    id: str
    reason: str
    time: str


class Rejections(TypedDict):
    """Refused records, newest first."""

    items: list[Rejection]


class DeadLetter(TypedDict):
    """A trace or session that was given up: its last error; `id` is what a replay wants."""

    id: str
    project: str
    unit: str
    attempts: int
    error: str
    time: str


class DeadLetters(TypedDict):
    """What was given up, newest first."""

    items: list[DeadLetter]


class Delivery(TypedDict):
    """A message to somebody else: an alert of an incident, or verdicts that could not be sent at once."""

    id: str
    key: str
    target: str
    project: str
    trajectory_id: str
    incident_id: NotRequired[str]
    state: NotRequired[Literal["delivered", "given_up", "withdrawn"]]
    attempts: NotRequired[int]
    created: str
    updated: str
    due_ns: NotRequired[int]
    error: NotRequired[str]


class Deliveries(TypedDict):
    """Messages, the last tried first; `state` is absent while one waits."""

    items: list[Delivery]
    unsent: int


class AuditEntry(TypedDict):
    """Somebody read content, reviewed or deleted."""

    time: str
    who: str
    name: str
    action: str
    project: NotRequired[str]
    subject: NotRequired[str]
    address: NotRequired[str]


class AuditPage(TypedDict):
    """The audit log, newest first."""

    items: list[AuditEntry]


class Erased(TypedDict):
    """What was deleted, or would be: ids of runs, how many traces and sessions, how many records."""

    runs: list[str]
    units: int
    records: int


class Forgotten(TypedDict):
    """What was deleted by project; `log_rewritten` says whether the store's log holds it no more."""

    projects: dict[str, Erased]
    dry_run: bool
    log_rewritten: bool


class Counts(TypedDict):
    """Figures by project: of trajectories by verdict, or of records by what became of them."""

    projects: dict[str, dict[str, int]]


class Health(TypedDict):
    """Whether the guard would answer now."""

    ok: bool
    detail: str
    mend: NotRequired[str]


class GuardStatus(TypedDict):
    """The guard in use."""

    info: GuardInfo
    health: Health
