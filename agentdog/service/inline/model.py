"""What an inline check is asked and what it answers: the bodies of ``POST /api/v1/check``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from agentdog.guards import Evidence, Labels
from agentdog.policy import Decision

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
#: A guard that needs longer is no inline guard.
MAX_DEADLINE_MS = 120_000


class By(StrEnum):
    """Who decided."""

    POLICY = "policy"
    GUARD = "guard"
    DEFAULT = "on_not_evaluated"


class Action(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """The call that is about to be made.

    Attributes:
        tool: its name, as the model sees it.
        arguments: the decoded object, or the text as the model wrote it.
        id: the model's call id; tells where telemetry has the call already.
    """

    tool: Name
    arguments: dict[str, Any] | str = {}
    id: str | None = None


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a check.

    Attributes:
        action: the call that is about to be made.
        deadline_ms: when the answer is due, in milliseconds from the request's arrival.
        trajectory_id: what was before it, by any id of the run: trajectory, trace, session …
        messages: what was before it, as chat messages (OpenAI's or Anthropic's); wins over `trajectory_id`.
        tools: the tools offered, as specifications; with `messages`.
        on_not_evaluated: the decision when nothing can be said in time; needed unless the setting
            ``check.on_not_evaluated`` is there.
        thought: the agent's text beside the call.
        agent: who calls.
        project: where to look the trajectory up, and which rules apply.
    """

    action: Action
    deadline_ms: Annotated[float, msgspec.Meta(gt=0, le=MAX_DEADLINE_MS)]
    trajectory_id: Name | None = None
    messages: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    on_not_evaluated: Decision | None = None
    thought: str | None = None
    agent: str | None = None
    project: str | None = None


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The answer of a check.

    Attributes:
        decision: allow, deny or review.
        reason: one sentence for people and for the agent.
        by: who decided: the policy, the guard, or nobody (`on_not_evaluated`).
        rule: id of the rule that decided.
        not_evaluated: why nobody could say; set exactly when `by` is ``on_not_evaluated``.
        detail: a sentence about that.
        guard: name of the guard that was asked.
        p_unsafe: its probability.
        labels: where, how, what.
        evidence: what the guard's word rests on; step indices count from 0, the pending call has the last.
        trajectory_id: the stored run that was looked at.
        steps_seen: steps before the call that were known.
        elapsed_ms: from the request's arrival to the answer.
    """

    decision: Decision
    reason: str
    by: By
    rule: str | None = None
    not_evaluated: str | None = None
    detail: str | None = None
    guard: str | None = None
    p_unsafe: float | None = None
    labels: Labels | None = None
    evidence: tuple[Evidence, ...] = ()
    trajectory_id: str | None = None
    steps_seen: int = 0
    elapsed_ms: float = 0.0
