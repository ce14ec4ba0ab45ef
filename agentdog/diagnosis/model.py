"""A diagnosis: one verdict per judged step, and the incidents that they amount to."""

from __future__ import annotations

from typing import Literal

import msgspec

from agentdog.guards import Evidence, GuardInfo, Labels, Outcome, Verdict

Review = Literal["open", "confirmed", "dismissed"]


class StepVerdict(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The verdict of the prefix that ends in one step; `key` hashes that prefix's text."""

    step_id: str
    index: int
    verdict: Verdict
    key: str | None = None


class EarlierVerdict(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A verdict of a prefix as it read before a late span changed it; `digest` is the version that it belonged to."""

    step_id: str
    index: int
    verdict: Verdict
    key: str
    digest: str


class Incident(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something went wrong, beginning at one step. Later red prefixes repeat it; they are not new incidents.

    Attributes:
        id: stable: of the trajectory and the onset step; kept when the onset moves.
        onset: index of the first unsafe step.
        onset_step_id: its id.
        source_step: index of the step that brought the risk in, where the evidence says (the *where*).
        realised_step: index of the step that realised the failure (the *how*): the onset where an agent acted there,
            else the first unsafe step after it that calls a tool; absent while there is none.
        recovered: whether the guard withdrew its judgement later, or every call of the step failed; absent while the
            run goes on and nothing tells.
        labels: where / how / what.
        evidence: what it rests on.
        confidence: the guard's probability at onset.
        peak: the highest probability from there on.
        alert: whether it is one to tell people of: it reaches the project's threshold and nobody dismissed it.
        state: open until a person confirms or dismisses it.
        summary: one sentence built from labels and evidence, never from a model's free text.
    """

    id: str
    onset: int
    onset_step_id: str
    source_step: int | None = None
    realised_step: int | None = None
    recovered: bool | None = None
    labels: Labels
    evidence: tuple[Evidence, ...] = ()
    confidence: float | None = None
    peak: float | None = None
    alert: bool = False
    state: Review = "open"
    summary: str


class Diagnosis(
    msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="schema", tag="agentdog.diagnosis/1"
):
    """What we say about one version of one trajectory.

    Attributes:
        digest: of the trajectory version that was judged.
        verdict: unsafe if any step is; else not_evaluated if any judged step is; else safe.
        p_unsafe: maximum over the judged steps.
        steps: verdicts in step order; steps that the plan left out, or that wait for the guard, are absent.
        incidents: in order of onset.
        earlier: verdicts of prefixes that read otherwise before, the newest last; a bounded number of them.
        judged_at: RFC 3339 time of the last verdict.
    """

    trajectory_id: str
    digest: str
    guard: GuardInfo
    verdict: Outcome
    p_unsafe: float | None = None
    steps: tuple[StepVerdict, ...] = ()
    incidents: tuple[Incident, ...] = ()
    earlier: tuple[EarlierVerdict, ...] = ()
    judged_at: str

    @property
    def standing(self) -> tuple[Incident, ...]:
        """The incidents that nobody dismissed, in order of onset."""
        return tuple(incident for incident in self.incidents if incident.state != "dismissed")
