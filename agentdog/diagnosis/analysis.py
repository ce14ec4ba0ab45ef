"""The written analysis of one judged step: asked for on demand, written by the guard, kept beside the run.

Invariant: it explains a verdict and never makes one; what people act on is built from labels and evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from agentdog.base.errors import GuardUnavailable
from agentdog.guards import Guard, Verdict
from agentdog.guards.protocol import Analyses, Written
from agentdog.trajectory import Header, Step

State = Literal["pending", "written", "failed"]


class Analysis(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a guard writes about one judged prefix.

    Attributes:
        step_id: of the step that ends the prefix; `index` is where it stood when it was asked for.
        key: hash of the prefix's text; the words hold for that text.
        guard: fingerprint, and `name` for people.
        state: ``pending`` until the guard has answered; ``failed`` says why in `error`, and may be asked for again.
        text: the guard's own words: untrusted.
        asked_at: RFC 3339, like `written_at`.
    """

    project: str
    trajectory_id: str
    step_id: str
    index: int
    key: str
    guard: str
    name: str
    state: State = "pending"
    text: str | None = None
    error: str | None = None
    asked_at: str
    written_at: str | None = None
    latency_ms: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None


async def write(guard: Guard, header: Header, steps: Sequence[Step], verdict: Verdict) -> Written:
    """Has a guard say why the prefix of these steps was judged so.

    Raises:
        GuardUnavailable: it does not answer, or writes no analyses.
    """
    session = guard.open(header)
    if not isinstance(session, Analyses):
        raise GuardUnavailable(f"guard {guard.info.name} writes no analyses; what it found is its evidence")
    for step in steps:
        session.extend(step)
    return await session.analysis(verdict)
