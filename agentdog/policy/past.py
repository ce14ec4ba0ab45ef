"""The calls of runs that are over, as a policy would have seen each before it was made.

Invariant: every call is looked at against exactly what was before its own step, as `POST /api/v1/check` looks at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from agentdog.diagnosis import Diagnosis
from agentdog.guards import Outcome
from agentdog.policy.background import Background, Pending
from agentdog.policy.match import fits
from agentdog.policy.model import Rule
from agentdog.provenance import EffectCatalogue
from agentdog.trajectory import Header, Trajectory, title

#: What is known of a call afterwards: ``good`` (nothing was found in the run up to and with it), ``bad`` (it is at or
#: behind the onset of an incident that stands), ``open`` (nobody could say).
Known = Literal["good", "bad", "open"]
SHOWN = 20


class Call(NamedTuple):
    """One call of a run: where it stands, how it looked before it was made, and what is known of it now."""

    trajectory_id: str
    title: str
    step: int
    pending: Pending
    known: Known


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """A call that a rule would have denied; `step` is an index."""

    trajectory_id: str
    title: str
    step: int
    tool: str
    known: Known


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would have done to calls of the past.

    Attributes:
        runs: runs looked at, this one included.
        calls: calls in them.
        bad: denied calls at or behind the onset of an incident that stands.
        good: denied calls that nothing was found against: what the rule would cost.
        open: denied calls of runs that could not be evaluated.
        denied: the first of them, the good ones first.
    """

    runs: int
    calls: int
    bad: int
    good: int
    open: int
    denied: tuple[Denied, ...]


def calls(
    trajectory: Trajectory,
    diagnosis: Diagnosis | None,
    catalogue: EffectCatalogue,
    trusted_tools: Iterable[str] = (),
) -> list[Call]:
    """Returns every call of a run, in order."""
    background = Background(catalogue, Header.of(trajectory), trusted_tools)
    onset, known = _onset(diagnosis), _of_run(diagnosis)
    found = []
    for step in trajectory.steps:
        for call in step.tool_calls if step.role == "agent" else ():
            pending = background.pending(call, agent=step.agent, project=trajectory.project)
            state: Known = known if onset is None else "bad" if step.index >= onset else "good"
            found.append(Call(trajectory.id, title(trajectory), step.index, pending, state))
        background.take(step)
    return found


def _onset(diagnosis: Diagnosis | None) -> int | None:
    return min((incident.onset for incident in diagnosis.standing), default=None) if diagnosis is not None else None


def _of_run(diagnosis: Diagnosis | None) -> Known:
    return "good" if diagnosis is not None and diagnosis.verdict is not Outcome.NOT_EVALUATED else "open"


def try_on(rule: Rule, past: Sequence[Call]) -> Trial:
    """Says what a rule would have denied."""
    hit = [call for call in past if fits(rule, call.pending)]
    order = {"good": 0, "open": 1, "bad": 2}
    shown = sorted(hit, key=lambda call: order[call.known])[:SHOWN]
    count = {known: sum(call.known == known for call in hit) for known in order}
    return Trial(
        runs=len({call.trajectory_id for call in past}),
        calls=len(past),
        bad=count["bad"],
        good=count["good"],
        open=count["open"],
        denied=tuple(
            Denied(
                trajectory_id=call.trajectory_id,
                title=call.title,
                step=call.step,
                tool=call.pending.call.name,
                known=call.known,
            )
            for call in shown
        ),
    )
