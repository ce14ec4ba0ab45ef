r"""A trajectory as the text a guard reads, in AgentDoG's layout (arXiv 2601.18491; the official moderation example).

::

    === Agent Profile ===
    <system prompt, then "Available tools: [...]">

    === Conversation History ===

    [USER]: ...

    [AGENT]:
    [THOUGHT]: ...
    [ACTION]: {"name": ..., "arguments": {...}}

    [ENVIRONMENT]: ...

Invariants: ``render`` is the header followed by one piece per step, so the text of a prefix is a prefix of the text; no
piece depends on an index, a time or a later step; content cannot pass for structure (`agentdog.trajectory.escape`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from agentdog.base.ids import canonical_json, digest
from agentdog.trajectory.escape import DEFAULT, Marker, escape
from agentdog.trajectory.model import Agent, Header, Step, Tool, ToolCall, Trajectory

#: Raised whenever the same trajectory and profile would give another text.
VERSION = 3


class RenderProfile(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """What of a trajectory a guard is shown, and how.

    Attributes:
        name: for people.
        tools: ``profile`` puts them behind the system prompt; ``none`` hides them, and with them every attack that
            sits in a tool's description.
        profile: ``none`` hides the agents' system prompts, as where a benchmark's rows have none.
        answer: ``complete`` prints an agent's closing text as an action, as ATBench does; ``content`` as text.
        reasoning: show hidden reasoning, where the telemetry carries it, as thought.
        agents: name the acting agent on each step.
        markers: what counts as structure and is escaped in content.
    """

    name: str
    tools: Literal["profile", "none"] = "profile"
    profile: Literal["shown", "none"] = "shown"
    answer: Literal["complete", "content"] = "complete"
    reasoning: bool = True
    agents: bool = False
    markers: tuple[Marker, ...] = DEFAULT

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same trajectory might be rendered otherwise."""
        return digest("render", str(VERSION), canonical_json(msgspec.to_builtins(self)), size=6)

    @property
    def described(self) -> str:
        """What a report says of it: the layout, what it shows, and its fingerprint."""
        tools = "tools shown" if self.tools == "profile" else "tools hidden"
        return f"{self.name}, profile {'shown' if self.profile == 'shown' else 'hidden'}, {tools}, {self.fingerprint}"


AGENTDOG = RenderProfile(name="agentdog")
PLAIN = RenderProfile(name="plain", answer="content", agents=True)


def render(trajectory: Trajectory, profile: RenderProfile) -> str:
    """Returns the whole text: the header, then every step in order."""
    return render_all(Header.of(trajectory), trajectory.steps, profile)


def render_all(header: Header, steps: Iterable[Step], profile: RenderProfile) -> str:
    """Returns the text of a header and steps, which begin with the run's first."""
    arrivals = header.arrivals()
    pieces = [
        (render_arrival(arrivals[index], profile) if index in arrivals else "") + render_step(step, profile)
        for index, step in enumerate(steps)
    ]
    return render_header(header, profile) + "".join(pieces)


def render_header(header: Header, profile: RenderProfile) -> str:
    """Returns what comes before the first step: who and what was there from the start."""
    shown = render_profile(header.opening(), profile)
    opening = f"=== Agent Profile ===\n{shown}\n\n" if shown else ""
    return f"{opening}=== Conversation History ==="


def render_arrival(arrived: Header, profile: RenderProfile) -> str:
    """Returns what comes before a step with which agents or tools joined; empty where nothing of it is shown."""
    parts = [_agent(name or "(unnamed)", agent, profile) for name, agent in arrived.agents.items()]
    shown = "\n\n".join(part for part in parts if part)
    return f"\n\n=== Agent Profile ===\n{shown}" if shown else ""


def render_profile(header: Header, profile: RenderProfile) -> str:
    """Returns system prompts and tools alone, for prompts that have a place of their own for them."""
    named = len(header.agents) > 1
    parts = [_agent(name if named else "", agent, profile) for name, agent in header.agents.items()]
    return "\n\n".join(part for part in parts if part)


def render_step(step: Step, profile: RenderProfile) -> str:
    """Returns the text that a step adds behind the one before."""
    lines = {"user": _user, "agent": _turn, "environment": _result}[step.role](step, profile)
    if step.truncated:
        lines.append("[TRUNCATED]: the recording was cut here")
    if step.missing:
        lines.append(f"[MISSING]: {escape(', '.join(step.missing), profile.markers)}")
    return "\n\n" + "\n".join(lines)


def _agent(name: str, agent: Agent, profile: RenderProfile) -> str:
    told = (agent.system or "").strip() if profile.profile == "shown" else ""
    lines = [escape(told, profile.markers)] if told else []
    if agent.tools and profile.tools == "profile":
        listed = json.dumps([_tool(tool) for tool in agent.tools], ensure_ascii=False)
        lines.append(f"Available tools: {escape(listed, profile.markers)}")
    if name and lines:
        lines.insert(0, f"Agent {_one_line(name, profile)}:")
    return "\n".join(lines)


def _tool(tool: Tool) -> dict[str, Any]:
    shown = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {key: value for key, value in shown.items() if value is not None}


def _user(step: Step, profile: RenderProfile) -> list[str]:
    return [_line("USER", step.content or "", profile), *_attachments(step, profile)]


def _turn(step: Step, profile: RenderProfile) -> list[str]:
    named = f" {_one_line(step.agent, profile)}" if profile.agents and step.agent else ""
    lines = [f"[AGENT]:{named}"]
    thoughts = (step.reasoning if profile.reasoning else None, step.thought)
    if thought := "\n".join(text for text in thoughts if text):
        lines.append(_line("THOUGHT", thought, profile))
    if step.content and (step.tool_calls or profile.answer == "content"):
        lines.append(_line("CONTENT", step.content, profile))
    elif step.content:
        lines.append(_line("ACTION", "Complete" + json.dumps({"response": step.content}, ensure_ascii=False), profile))
    lines += [_line("ACTION", _call(call), profile) for call in step.tool_calls]
    if step.handoff_to:
        lines.append(_line("HANDOFF", step.handoff_to, profile))
    return [*lines, *_attachments(step, profile)]


def _call(call: ToolCall) -> str:
    arguments = call.arguments if call.arguments_raw is None else call.arguments_raw
    return json.dumps({"name": call.name, "arguments": arguments}, ensure_ascii=False, default=str)


def _result(step: Step, profile: RenderProfile) -> list[str]:
    texts = [step.tool_result, step.content]
    if step.error and step.error not in (step.tool_result or ""):
        texts.insert(0, step.error)
    return [_line("ENVIRONMENT", "\n".join(t for t in texts if t), profile), *_attachments(step, profile)]


def _attachments(step: Step, profile: RenderProfile) -> list[str]:
    return [_line("ATTACHMENT", f"{a.media_type}, {a.size} bytes", profile) for a in step.attachments]


def _line(key: str, content: str, profile: RenderProfile) -> str:
    return f"[{key}]: {escape(content, profile.markers)}"


def _one_line(text: str, profile: RenderProfile) -> str:
    return escape(" ".join(text.split()), profile.markers)
