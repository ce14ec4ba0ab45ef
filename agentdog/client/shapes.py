"""The API's answers as `TypedDict`s: what a program may rely on.

Invariant: keys that the API leaves out when empty are `NotRequired`; nothing here checks at run time. Times are
RFC 3339 UTC text, step indices count from 0.
"""

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
    note: NotRequired[str]


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


class Page(TypedDict):
    """One page of a list; `next` is the cursor of the page after it."""

    items: list[Summary]
    next: NotRequired[str]


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


class TaxonomyGroup(TypedDict):
    """A heading over labels."""

    id: str
    name: str
    definition: str
    aliases: NotRequired[list[str]]


class TaxonomyLabel(TypedDict):
    """A label: its id in data, its name and definition for people; no `group` on an axis without groups."""

    id: str
    name: str
    definition: str
    group: NotRequired[str]
    aliases: NotRequired[list[str]]
    also_in: NotRequired[list[str]]


class TaxonomyAxis(TypedDict):
    """One axis: `question` is Where, How or What."""

    id: Axis
    question: str
    name: str
    definition: str
    headings: list[str]
    groups: list[TaxonomyGroup]
    labels: list[TaxonomyLabel]


class Taxonomy(TypedDict):
    """The three axes in one version; `overlay` says which labels beyond the base are in it."""

    overlay: str
    version: str
    axes: list[TaxonomyAxis]


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


class Like(TypedDict, total=False):
    """What incidents that a rule dismisses have in common."""

    tool: str
    agent: str
    risk_source: str
    failure_mode: str
    real_world_harm: str
    detector: str


class Suppression(TypedDict):
    """A rule that dismisses incidents which are alike, until it expires; `count` says how many so far."""

    id: str
    project: str
    like: Like
    reason: str
    author: str
    created: str
    expires: str
    revoked: NotRequired[str]
    trajectory_id: NotRequired[str]
    count: NotRequired[int]
    last: NotRequired[str]


class ReviewOutcome(TypedDict):
    """The review as kept, the run as it stands now, the rule that was made."""

    review: Review
    stored: Stored
    suppression: NotRequired[Suppression]


class ReviewList(TypedDict):
    """Reviews; `next` is the offset of the next page of runs."""

    reviews: list[Review]
    next: NotRequired[int]


class Suppressions(TypedDict):
    """Suppression rules, oldest first, whatever their state; those whose `expires` is before `now` hold no more."""

    suppressions: list[Suppression]
    now: str


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


class GuardStatus(TypedDict):
    """The guard in use."""

    info: GuardInfo
    health: Health


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
