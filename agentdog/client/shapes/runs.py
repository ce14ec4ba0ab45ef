"""Runs: as they are stored, found, listed, and shown in pieces."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from agentdog.client.shapes.verdicts import Diagnosis, DisplayVerdict, GuardInfo, Incident, Review, StepVerdict

#: What the list is ordered by, and from which end: `newest` and `highest` are the same.
Sort = Literal["start", "p_unsafe", "steps", "duration"]
Order = Literal["newest", "oldest", "highest", "lowest"]


class ToolCall(TypedDict):
    """An action; `arguments` are untrusted."""

    id: str
    name: str
    arguments: dict[str, Any]
    arguments_raw: NotRequired[str]
    id_synthetic: NotRequired[bool]


class Attachment(TypedDict):
    """Content kept by its hash."""

    media_type: str
    size: int
    sha256: str


class Step(TypedDict):
    """One step; every text in it is untrusted."""

    id: str
    index: int
    role: Literal["user", "agent", "environment"]
    sources: list[str]
    content: NotRequired[str]
    thought: NotRequired[str]
    reasoning: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    name: NotRequired[str]
    tool_result: NotRequired[str]
    tool_call_id: NotRequired[str]
    is_error: NotRequired[bool]
    error: NotRequired[str]
    agent: NotRequired[str]
    thread: NotRequired[str]
    parent_call_id: NotRequired[str]
    handoff_to: NotRequired[str]
    attachments: NotRequired[list[Attachment]]
    start_time: NotRequired[str]
    end_time: NotRequired[str]
    truncated: NotRequired[bool]
    missing: NotRequired[list[str]]
    provisional: NotRequired[bool]


class Trajectory(TypedDict):
    """A whole run."""

    schema: str
    id: str
    digest: str
    project: str
    agents: dict[str, dict[str, Any]]
    completion: Literal["root", "final", "idle", "open"]
    missing: list[str]
    scopes: list[str]
    steps: list[Step]
    session_id: NotRequired[str]


class Summary(TypedDict):
    """One row of the list; labels are those of the first open incident."""

    id: str
    project: str
    title: str
    agents: list[str]
    verdict: DisplayVerdict
    incidents: int
    steps: int
    completion: str
    start_time: str
    end_time: str
    updated_at: str
    open: NotRequired[int]
    p_unsafe: NotRequired[float]
    risk_source: NotRequired[str]
    failure_mode: NotRequired[str]
    real_world_harm: NotRequired[str]
    missing: NotRequired[list[str]]
    session_id: NotRequired[str]
    tools: NotRequired[list[str]]
    reviewed: NotRequired[Literal["confirmed", "corrected", "dismissed", "marked", "approved"]]


class Stored(TypedDict):
    """One trajectory with what is said about it; `diagnosis` is absent until the first verdict."""

    summary: Summary
    trajectory: Trajectory
    diagnosis: NotRequired[Diagnosis]
    reviews: NotRequired[list[Review]]


class Page(TypedDict):
    """One page of a list; `next` is the cursor of the page after it."""

    items: list[Summary]
    next: NotRequired[str]


class Hit(TypedDict):
    """A run that a search found; `excerpt` is untrusted text."""

    summary: Summary
    kind: Literal["id", "user", "evidence", "incident"]
    step: NotRequired[int]
    excerpt: NotRequired[str]


class Found(TypedDict):
    """What a search found, newest first; `total` is how many there may be."""

    hits: list[Hit]
    total: int


class Outlined(TypedDict):
    """One step in the outline of a run."""

    role: Literal["user", "agent", "environment"]
    outcome: NotRequired[Literal["safe", "unsafe", "not_evaluated"]]
    p_unsafe: NotRequired[float]
    name: NotRequired[str]


class Cut(TypedDict):
    """A text that was not sent whole: its name, and its length in characters."""

    field: str
    size: int


class Version(TypedDict):
    """What one diagnosis of a run said."""

    judged_at: str
    digest: str
    guard: str
    verdict: DisplayVerdict
    p_unsafe: NotRequired[float]
    incidents: NotRequired[int]
    onset: NotRequired[int]


class View(TypedDict):
    """One run in pieces: `steps` begin at index `first`, `cuts` are by step index as text."""

    summary: Summary
    head: Trajectory
    outline: list[Outlined]
    first: int
    steps: list[Step]
    cuts: dict[str, list[Cut]]
    verdicts: list[StepVerdict]
    focus: NotRequired[int]
    guard: NotRequired[GuardInfo]
    judged_at: NotRequired[str]
    verdict: NotRequired[Literal["safe", "unsafe", "not_evaluated"]]
    reasons: NotRequired[dict[str, int]]
    incidents: NotRequired[list[Incident]]
    versions: NotRequired[list[Version]]


class Records(TypedDict):
    """Spans and log records as they were decoded; every text in them is untrusted."""

    records: list[dict[str, Any]]
    total: int


class Flow(TypedDict):
    """Where one value of a call was seen before: step index per source, -1 the system prompt."""

    call: str
    argument: str
    value: str
    kind: str
    origin: Literal["system", "user", "trusted", "untrusted", "agent"]
    seen: NotRequired[dict[str, int]]


class Flows(TypedDict):
    """The values of one step's calls."""

    flows: list[Flow]


class FeedEvent(TypedDict):
    """Something happened."""

    cursor: str
    type: Literal["trajectory.updated", "diagnosis.updated", "incident.opened", "review.updated"]
    project: str
    trajectory_id: str
    time: str
    verdict: NotRequired[DisplayVerdict]
    title: NotRequired[str]


class FeedPage(TypedDict):
    """Events after a cursor, oldest first."""

    cursor: str
    events: list[FeedEvent]


class ViewFilters(TypedDict, total=False):
    """What a saved view of the list shows, by the list's own names; `last_s` is a span that ends now, in seconds."""

    project: str
    verdict: DisplayVerdict
    risk_source: str
    failure_mode: str
    real_world_harm: str
    agent: str
    tool: str
    reviewed: Literal["yes", "no"]
    open: Literal["yes"]
    last_s: int
    since: str
    until: str
    sort: Sort
    order: Order


class SavedView(TypedDict):
    """Filters of the list under a name."""

    name: str
    filters: ViewFilters
    author: str
    saved: str
