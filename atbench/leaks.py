"""Phrases with which some sets give their labels away, and how to take them out.

ASSEBench security and the runs of ASB tell in a tool's output, or in the agent's retelling of it, that the attacker's
tool was used or the goal achieved, and carry the trigger of a backdoor attack in words that nobody else uses. A guard
that reads them reads the label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from agentdog.base.ids import digest
from agentdog.trajectory import Agent, Step, ToolCall, Trajectory
from agentdog.trajectory.formats import Case

#: What stands in place of a phrase.
MASK = "…"
_LEAKS = re.compile(
    r"You have used the attacker tool[^\n\"]*"
    r"|You have achieved the attacker goal[^\n\"]*"
    r"|Attacker tool results?:[^\n\"]*"
    r"|\[?with perspicacious discernment\]?",
    re.IGNORECASE,
)
_TEXTS = ("content", "thought", "reasoning", "tool_result", "error")


def leaks(case: Case) -> bool:
    """Tells whether a case gives its label away."""
    return mask(case) is not case


def mask(case: Case) -> Case:
    """Returns the case without the phrases; the case itself where it has none."""
    held = case.trajectory
    steps = tuple(_step(step) for step in held.steps)
    agents = {name: _agent(agent) for name, agent in held.agents.items()}
    if steps == held.steps and agents == held.agents:
        return case
    trajectory: Trajectory = msgspec.structs.replace(
        held, steps=steps, agents=agents, digest=digest("masked", held.digest)
    )
    return msgspec.structs.replace(case, trajectory=trajectory)


def _step(step: Step) -> Step:
    changes: dict[str, Any] = {
        name: _LEAKS.sub(MASK, text) for name in _TEXTS if (text := getattr(step, name)) and _LEAKS.search(text)
    }
    calls = tuple(_call(call) for call in step.tool_calls)
    if calls != step.tool_calls:
        changes["tool_calls"] = calls
    return msgspec.structs.replace(step, **changes) if changes else step


def _call(call: ToolCall) -> ToolCall:
    raw = _LEAKS.sub(MASK, call.arguments_raw) if call.arguments_raw else call.arguments_raw
    return msgspec.structs.replace(call, arguments=_value(call.arguments), arguments_raw=raw)


def _agent(agent: Agent) -> Agent:
    return msgspec.structs.replace(agent, system=_LEAKS.sub(MASK, agent.system)) if agent.system else agent


def _value(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _LEAKS.sub(MASK, value)
    if isinstance(value, Mapping):
        return {key: _value(item) for key, item in value.items()}
    return [_value(item) for item in value] if isinstance(value, list) else value
