"""What is said about a run: by guards, and by people."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

DisplayVerdict = Literal["safe", "unsafe", "not_evaluated", "pending"]
Axis = Literal["risk_source", "failure_mode", "real_world_harm"]


class Labels(TypedDict, total=False):
    """One taxonomy id per axis; absent where the guard did not say."""

    risk_source: str
    failure_mode: str
    real_world_harm: str


class Evidence(TypedDict):
    """What a verdict rests on; `quote` is untrusted text."""

    detector: str
    message: str
    step: int
    quote: NotRequired[str]
    source_step: NotRequired[int]
    labels: NotRequired[Labels]
    weight: NotRequired[float]


class Verdict(TypedDict):
    """A guard's answer for the prefix that ends in one step."""

    outcome: Literal["safe", "unsafe", "not_evaluated"]
    guard: str
    p_unsafe: NotRequired[float]
    labels: NotRequired[Labels]
    axes: NotRequired[dict[str, dict[str, float]]]
    evidence: NotRequired[list[Evidence]]
    reason: NotRequired[str]
    detail: NotRequired[str]
    latency_ms: NotRequired[float]
    prompt_tokens: NotRequired[int]
    cached_tokens: NotRequired[int]
    completion_tokens: NotRequired[int]
    raw: NotRequired[str]


class StepVerdict(TypedDict):
    """The verdict of one step."""

    step_id: str
    index: int
    verdict: Verdict


class Incident(TypedDict):
    """Something went wrong, beginning at `onset`."""

    id: str
    onset: int
    onset_step_id: str
    labels: Labels
    summary: str
    source_step: NotRequired[int]
    evidence: NotRequired[list[Evidence]]
    confidence: NotRequired[float]
    realised_step: NotRequired[int]
    recovered: NotRequired[bool]
    peak: NotRequired[float]
    state: NotRequired[Literal["open", "confirmed", "dismissed"]]


class GuardInfo(TypedDict):
    """Who was asked."""

    name: str
    uri: str
    fingerprint: str
    pack: NotRequired[str]
    wording: NotRequired[str]
    layout: NotRequired[str]
    note: NotRequired[str]
    served: NotRequired[bool]


class Diagnosis(TypedDict):
    """What is said about one version of a trajectory."""

    schema: str
    trajectory_id: str
    digest: str
    guard: GuardInfo
    verdict: Literal["safe", "unsafe", "not_evaluated"]
    judged_at: str
    p_unsafe: NotRequired[float]
    steps: NotRequired[list[StepVerdict]]
    incidents: NotRequired[list[Incident]]


class Analysis(TypedDict):
    """What a guard wrote about one judged step: its own words, untrusted. `index` counts from 0."""

    project: str
    trajectory_id: str
    step_id: str
    index: int
    key: str
    guard: str
    name: str
    asked_at: str
    state: NotRequired[Literal["pending", "written", "failed"]]
    text: NotRequired[str]
    error: NotRequired[str]
    written_at: NotRequired[str]
    latency_ms: NotRequired[float]
    prompt_tokens: NotRequired[int]
    cached_tokens: NotRequired[int]
    completion_tokens: NotRequired[int]


AttributionTarget = Literal["action", "verdict"]
AttributionMode = Literal["paper", "compatible", "approximate"]


class SentenceScore(TypedDict):
    """One sentence of a step, untrusted, and how much it moved the answer; a `candidate` was scored."""

    text: str
    drop: float
    hold: NotRequired[float]
    score: float
    candidate: NotRequired[bool]
    attention: NotRequired[float]


class StepScore(TypedDict):
    """One earlier step; `step` counts from 0 and is null for the agents' profile; a `candidate` is ranked.

    `nothing` is the score of a sentence that says nothing, where that is not 0: its sentences are to be seen beside it.
    """

    step: int | None
    role: str
    score: float
    candidate: NotRequired[bool]
    log_likelihood: NotRequired[float]
    tokens: NotRequired[int]
    attention: NotRequired[float]
    sentences: NotRequired[list[SentenceScore]]
    nothing: NotRequired[float]


class Attribution(TypedDict):
    """Which text moved an action or a verdict; `ranking` are places in `steps`, the strongest first."""

    target: AttributionTarget
    mode: AttributionMode
    step: int
    explained: str
    model: str
    unit: str
    steps: list[StepScore]
    ranking: list[int]
    baseline: float
    cost: dict[str, float]
    notes: NotRequired[list[str]]


class AskedAttribution(TypedDict):
    """A question "why" about one step (from 0), as it stands; without `state` it is pending."""

    project: str
    trajectory_id: str
    step_id: str
    index: int
    target: AttributionTarget
    key: str
    name: str
    asked_at: str
    way: NotRequired[dict[str, Any]]
    state: NotRequired[Literal["pending", "done", "failed"]]
    result: NotRequired[Attribution]
    error: NotRequired[str]
    done_at: NotRequired[str]


class Attributions(TypedDict):
    """What was asked about a run; `no_model` says what to set where actions cannot be explained."""

    items: list[AskedAttribution]
    no_model: NotRequired[str]


ReviewAction = Literal["confirm", "correct", "dismiss", "reopen", "mark", "unmark", "approve", "doubt"]


class Review(TypedDict):
    """One thing that one person (or a suppression rule: `rule`) said, once; the newest version of a subject holds."""

    id: str
    project: str
    trajectory_id: str
    action: ReviewAction
    subject: str
    time: str
    author: str
    version: int
    step_id: NotRequired[str]
    step: NotRequired[int]
    labels: NotRequired[Labels]
    onset_step_id: NotRequired[str]
    onset: NotRequired[int]
    note: NotRequired[str]
    rule: NotRequired[str]
    incident: NotRequired[Incident]
