"""Which prefixes to judge, in which order, and how many of them now. Pure.

Invariants: every agent step and the last step are planned whatever the policy says; what is planned is asked for now,
put off (`Round.later`) or refused (`Round.refused`, a verdict of its own), never forgotten; at least one prefix is
asked for in every round that lacks any and may ask, so that putting off comes to an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from agentdog.base.ids import digest
from agentdog.provenance import Effect, EffectCatalogue, load_catalogue
from agentdog.trajectory import Step, Trajectory

Observations = Literal["none", "risky", "all"]
Labelling = Literal["unsafe_steps", "onset", "every_step"]

#: Beyond a number of verdicts per step, so many more are kept for the newest prefix alone.
RESERVE = 8
#: What a tool's answer may do harm by: it ran something, sent, paid, deleted, granted.
_RISKY = frozenset({Effect.EXECUTE, Effect.SEND, Effect.PAY, Effect.DELETE, Effect.GRANT})


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator decides.

    Attributes:
        observations: which tool results are judged beside the agent's steps: ``none``; ``risky``, the first answer of
            each tool (the first contact with what it brings in) and every answer of a tool that executes, sends, pays,
            deletes or grants; or ``all``.
        labels: whose where, how and what is asked for: every unsafe step's, each incident's onset's, every step's.
        alert_at: P(unsafe) from which a prefix counts as unsafe beside what the guard itself calls so.
        alert_from: P(unsafe) from which an incident alerts, where `alert_at` says nothing; makes nothing unsafe.
        share: of the steps whose labels would be asked for, those that are, by their prefix's hash; an incident's onset
            always is.
        rejudge: verdicts asked for per planned step, over all versions of a trajectory; 0: no bound.
    """

    observations: Observations = "none"
    labels: Labelling = "unsafe_steps"
    alert_at: float | None = None
    alert_from: float | None = None
    rejudge: float = 0.0
    share: float = 1.0

    def in_share(self, key: str) -> bool:
        """Whether the share of steps that are diagnosed holds a prefix: the same one always, or never."""
        return int(digest(key, size=4), 16) < self.share * (1 << 32)


class Round(NamedTuple):
    """What one look at a trajectory asks for.

    Attributes:
        first: asked for before all else; empty when nothing is missing or nothing may be asked.
        then: asked for after that, unless others are waiting by then.
        later: put off until nobody waits.
        refused: beyond what may be asked for on behalf of this trajectory.
    """

    first: tuple[int, ...] = ()
    then: tuple[int, ...] = ()
    later: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()


def steps_to_judge(trajectory: Trajectory, observations: Observations = "none") -> tuple[int, ...]:
    """Returns the indices of the steps whose prefixes need a verdict, in order.

    Only an agent can do wrong, so its steps are judged always; the last step is, so that every trajectory has a
    verdict of all that is known. Tool results are, as the policy says, to see the risk come in before it is acted on.
    """
    last = len(trajectory.steps) - 1
    seen = frozenset[int]() if observations == "none" else _observations(trajectory, observations)
    return tuple(i for i, step in enumerate(trajectory.steps) if step.role == "agent" or i == last or i in seen)


def is_only_last(trajectory: Trajectory, index: int, observations: Observations = "none") -> bool:
    """Whether a step is planned for no other reason than that an open trajectory ends in it so far."""
    if trajectory.completion != "open" or not 0 < index == len(trajectory.steps) - 1:
        return False
    if trajectory.steps[index].role == "agent":
        return False
    return observations == "none" or index not in _observations(trajectory, observations)


def plan(missing: Sequence[int], *, served: bool, busy: bool, allowed: int | None = None) -> Round:
    """Arranges the prefixes that have no verdict.

    Args:
        missing: indices, ascending.
        served: whether a server with a prefix cache is asked: then the newest prefix goes first, which answers what
            matters most and leaves every older one in the cache; else the oldest, since a session only grows.
        busy: whether others wait for the guard: then older prefixes are put off.
        allowed: how many more may be asked for; ``None``: no bound. The last `RESERVE` are the newest prefix's.
    """
    if not missing:
        return Round()
    newest = list(reversed(missing))
    refused: list[int] = []
    if allowed is not None:
        room = max(allowed - RESERVE, 1 if allowed > 0 else 0)
        newest, refused = newest[:room], newest[room:]
    if not newest:
        return Round(refused=tuple(sorted(refused)))
    if not served:
        return Round(first=tuple(sorted(newest)), refused=tuple(sorted(refused)))
    first, rest = (newest[0],), tuple(newest[1:])
    return Round(first, () if busy else rest, rest if busy else (), tuple(sorted(refused)))


def _observations(trajectory: Trajectory, wanted: Observations) -> frozenset[int]:
    answers = [(i, step) for i, step in enumerate(trajectory.steps) if step.role == "environment"]
    if wanted == "all":
        return frozenset(i for i, _ in answers)
    calls = {call.id: call for step in trajectory.steps for call in step.tool_calls}
    found, met = set(), set()
    for i, step in answers:
        call = calls.get(step.tool_call_id or "")
        name = step.name or (call.name if call else "")
        if name not in met and _says_something(step):
            met.add(name)
            found.add(i)
        elif is_risky(name, tuple(sorted(call.arguments)) if call else ()):
            found.add(i)
    return frozenset(found)


def _says_something(step: Step) -> bool:
    return bool(step.text.strip() or step.error)


@lru_cache(maxsize=4096)
def is_risky(tool: str, arguments: tuple[str, ...] = ()) -> bool:
    """Whether a tool executes, sends, pays, deletes or grants, by its name and the names of a call's arguments."""
    return bool(_catalogue().of_tool(tool, None, arguments) & _RISKY)


@lru_cache(maxsize=1)
def _catalogue() -> EffectCatalogue:
    return load_catalogue()
