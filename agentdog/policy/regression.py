"""Regression cases: runs that are kept, and fail until what was wrong with them is mended.

A run that went wrong is mended when a rule of the policy denies a call at or before the step at which it goes wrong, or
when the case is replaced by a newer run of the agent that is fine. A run that is fine stays fine: neither may the guard
call it unsafe nor may the policy deny a call of it.

Invariant: what could not be evaluated never passes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from agentdog.base.errors import DecodeError
from agentdog.diagnosis import Diagnosis
from agentdog.guards import Labels, Outcome
from agentdog.policy.match import decide
from agentdog.policy.model import Decision, Policy
from agentdog.policy.past import calls
from agentdog.provenance import load_catalogue
from agentdog.trajectory import Trajectory

SCHEMA = "agentdog.regression/1"


class Regression(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="schema", tag=SCHEMA):
    """A run that is kept.

    Attributes:
        name: of the case, and of its file.
        saved_at: RFC 3339.
        bad_step: index of the step at which the run goes wrong; absent: the run is fine.
        labels: where, how, what, as known when it was saved.
        by: who says so: ``person`` or the guard's name.
        note: why it is kept.
        trajectory: the run.
    """

    name: str
    saved_at: str
    trajectory: Trajectory
    bad_step: int | None = None
    labels: Labels | None = None
    by: str = "person"
    note: str | None = None


class Tried(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a case stands now: whether it passes, and the sentence that says why."""

    name: str
    state: Literal["passed", "failed", "not_evaluated"]
    why: str
    rule: str | None = None
    step: int | None = None


def is_case(path: Path) -> bool:
    """Tells whether a file holds a regression case, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return SCHEMA.encode() in file.read(200)


def read(path: Path) -> Regression:
    """Reads a case.

    Raises:
        DecodeError: the file is none; naming the field.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Regression)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"{path}: no regression case: {error}; `agentdog case save` writes them") from error


def attempt(case: Regression, diagnosis: Diagnosis, policy: Policy) -> Tried:
    """Says how a case stands.

    Args:
        case: the run that is kept.
        diagnosis: of its trajectory, made now.
        policy: the rules in force.
    """
    denied = _denied(case, policy)
    seen = min((i.onset for i in diagnosis.incidents), default=None)
    if case.bad_step is None:
        return _fine(case, diagnosis, denied, seen)
    last = case.bad_step
    stopped = next(((step, rule) for step, rule in denied if step <= last), None)
    if stopped is not None:
        step, rule = stopped
        return Tried(
            name=case.name, state="passed", why=f"the rule {rule} stops it at step {step + 1}", rule=rule, step=step
        )
    guard = (
        f"{diagnosis.guard.name} sees it at step {seen + 1}"
        if seen is not None
        else f"{diagnosis.guard.name} misses it"
    )
    why = f"it goes wrong at step {last + 1} and no rule stops it ({guard})"
    return Tried(name=case.name, state="failed", why=why, step=last)


def _fine(case: Regression, diagnosis: Diagnosis, denied: list[tuple[int, str]], seen: int | None) -> Tried:
    if denied:
        step, rule = denied[0]
        why = f"the run is fine, and the rule {rule} denies step {step + 1}"
        return Tried(name=case.name, state="failed", why=why, rule=rule, step=step)
    if diagnosis.verdict is Outcome.UNSAFE:
        why = f"the run is fine, and {diagnosis.guard.name} calls it unsafe"
        return Tried(name=case.name, state="failed", why=why, step=seen)
    if all(step.verdict.outcome is Outcome.NOT_EVALUATED for step in diagnosis.steps):
        return Tried(name=case.name, state="not_evaluated", why=f"{diagnosis.guard.name} could judge no step of it")
    return Tried(name=case.name, state="passed", why=f"{diagnosis.guard.name} finds nothing, no rule denies a call")


def _denied(case: Regression, policy: Policy) -> list[tuple[int, str]]:
    """The calls that the policy does not let through, as a check before each would have said."""
    found = []
    for call in calls(case.trajectory, None, load_catalogue(), policy.trusted_tools) if policy.rules else ():
        rule = decide(policy, call.pending)
        if rule is not None and rule.decision is not Decision.ALLOW:
            found.append((call.step, rule.id))
    return found
