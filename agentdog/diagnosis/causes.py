"""What the steps themselves say of an incident's cause, where the guard names none: whose values a call carries.

Invariant: looks at a step and at what came before it, never at a model's words.
"""

from __future__ import annotations

from functools import cached_property

import taxonomy
from agentdog.diagnosis.plan import is_risky
from agentdog.guards import Labels
from agentdog.provenance import ProvenanceIndex, Source
from agentdog.provenance.index import SYSTEM_STEP
from agentdog.trajectory import Step, Trajectory

_SOURCES = {"user": Source.USER, "agent": Source.AGENT, "environment": Source.UNTRUSTED}


class Causes:
    """Reads one trajectory from its beginning; ask in the order of the steps, or a step is read again from there."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._index = ProvenanceIndex()
        self._read = SYSTEM_STEP

    def brought_in(self, at: int) -> int | None:
        """The observation that alone brought in most values of a step's risky calls; the earliest such."""
        step = self._trajectory.steps[at]
        if step.role != "agent" or not acts(step):
            return None
        self._read_to(at)
        counts: dict[int, int] = {}
        for call in step.tool_calls:
            if is_risky(call.name, tuple(sorted(call.arguments))):
                for trace in self._index.trace(call.arguments or call.arguments_raw):
                    if trace.untrusted_step is not None:
                        counts[trace.untrusted_step] = counts.get(trace.untrusted_step, 0) + 1
        return min(counts, key=lambda source: (-counts[source], source), default=None)

    def source(self, at: int, labels: Labels) -> int | None:
        """The step that brought in the risk of an incident that begins at a step; ``None`` where nothing tells."""
        steps = self._trajectory.steps
        if steps[at].role == "environment":
            return at
        found = self.brought_in(at)
        if found is not None or labels.risk_source is None:
            return found
        group = self._groups.get(labels.risk_source)
        if group == "user_input":
            return next((i for i in range(at, -1, -1) if steps[i].role == "user"), None)
        if group in ("environmental_observation", "external_entities"):
            last = next((i for i in range(at - 1, -1, -1) if steps[i].role == "agent"), -1)
            fresh = [i for i in range(last + 1, at) if steps[i].role == "environment"]
            return fresh[0] if len(fresh) == 1 else None
        return None

    def _read_to(self, at: int) -> None:
        if at < self._read:
            self._index, self._read = ProvenanceIndex(), SYSTEM_STEP
        if self._read == SYSTEM_STEP:
            for agent in self._trajectory.agents.values():
                self._index.add(agent.system or "", Source.SYSTEM, SYSTEM_STEP)
            self._read = 0
        for number in range(self._read, at):
            step = self._trajectory.steps[number]
            self._index.add(step.text, _SOURCES[step.role], number)
            for call in step.tool_calls:
                self._index.add_arguments(call.arguments or call.arguments_raw, Source.AGENT, number)
        self._read = max(at, 0)

    @cached_property
    def _groups(self) -> dict[str, str | None]:
        return {label.id: label.group for label in taxonomy.load("all").axis("risk_source").labels}


def acts(step: Step) -> bool:
    """Whether an agent's step calls a tool that executes, sends, pays, deletes or grants."""
    return any(is_risky(call.name, tuple(sorted(call.arguments))) for call in step.tool_calls)


def failed(trajectory: Trajectory, at: int) -> bool:
    """Whether every call of a step was answered with an error."""
    calls = {call.id for call in trajectory.steps[at].tool_calls}
    answers = [step for step in trajectory.steps[at + 1 :] if step.tool_call_id in calls]
    return bool(calls) and {step.tool_call_id for step in answers} == calls and all(s.is_error for s in answers)
