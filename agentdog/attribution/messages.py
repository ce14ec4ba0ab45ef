"""A trajectory as the chat that the scored model reads: one message a step.

Roles as AgentDoG's scripts map them (`AgenticXAI/component_attri.py`): the agent speaks as ``assistant``; users, tools
and environments as ``user``. Invariant: a message's content is the text that sentences are cut from.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from agentdog.base.errors import UsageError
from agentdog.trajectory import Step, ToolCall, Trajectory

_ROLES = {"agent": "assistant", "user": "user", "environment": "user"}


class Message(NamedTuple):
    """One message.

    Attributes:
        role: ``system``, ``user`` or ``assistant``.
        content: its text.
        step: index of the step that it is; ``None`` for the agents' profile.
        who: the step's own role, for people.
    """

    role: str
    content: str
    step: int | None
    who: str


def messages_of(trajectory: Trajectory) -> list[Message]:
    """Returns the profile, where there is one, and then one message a step."""
    profiles = [agent.system.strip() for agent in trajectory.agents.values() if agent.system and agent.system.strip()]
    system = [Message("system", "\n\n".join(profiles), None, "profile")] if profiles else []
    return system + [Message(_ROLES[step.role], content_of(step), step.index, step.role) for step in trajectory.steps]


def content_of(step: Step) -> str:
    """Returns what a step says: visible text, then its calls or the error in front of its result."""
    if step.role == "environment":
        error = step.error if step.error and step.error not in (step.tool_result or "") else None
        return "\n".join(text for text in (error, step.tool_result, step.content) if text)
    calls = [f"Action: {_call(call)}" for call in step.tool_calls]
    return "\n".join(text for text in (step.reasoning, step.thought, step.content, *calls) if text)


def _call(call: ToolCall) -> str:
    arguments = call.arguments if call.arguments_raw is None else call.arguments_raw
    return f"{call.name}{json.dumps(arguments, ensure_ascii=False, default=str)}"


def place_of(messages: list[Message], step: int) -> int:
    """Returns the place of a step's message.

    Raises:
        UsageError: when the trajectory has no such step, or nothing comes before it.
    """
    for place, message in enumerate(messages):
        if message.step == step:
            if place == 0:
                raise UsageError("step 1 has nothing before it that could explain it; name a later step with --step")
            return place
    last = max((m.step for m in messages if m.step is not None), default=-1) + 1
    raise UsageError(f"no step {step + 1}; this trajectory has {last}, counted from 1")
