"""What stands beside the steps: agents with their profiles and tools, hand-offs, and what the telemetry left out."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from agentdog.spans.assemble import Assembly
from agentdog.spans.doubles import Reduced
from agentdog.trajectory import Agent, Step, Tool

_WORDINGS = 4
"""Descriptions kept of one tool: some change with every call, a clock in them for one."""


def agents_of(reduced: Reduced, assembly: Assembly, steps: list[Step]) -> dict[str, Agent]:
    """Collects agents by name: the first system prompt each was given, and its tools since when it had them.

    A tool that is described anew stands there again, since when it was: who reads only names finds the newest last.
    """
    starts = [turn.at for turn in assembly.turn_of]
    ordered = sorted(range(len(starts)), key=lambda n: starts[n])
    times = [starts[n] for n in ordered]
    systems: dict[str, str] = {}
    tools: dict[str, dict[str, list[Tool]]] = {}
    for call in reduced.calls:
        name = call.agent or ""
        system = "\n".join(m.text for m in call.reading.input if m.role == "system" and m.text)
        if system:
            systems.setdefault(name, system)
        known = tools.get(name)
        for tool in call.reading.tools:
            if known is None:
                tools.setdefault(name, {}).setdefault(tool.name, [tool])
            elif _is_new(tool, known.get(tool.name, [])):
                place = bisect_left(times, call.at)
                since = ordered[place] if place < len(ordered) else None
                known.setdefault(tool.name, []).append(msgspec.structs.replace(tool, since_step=since))
    names = {step.agent for step in steps if step.role == "agent" and step.agent} | systems.keys() | tools.keys()
    took = {name: n for n, name in reversed([(n, s.agent or "") for n, s in enumerate(steps) if s.role == "agent"])}
    first = min(took.values(), default=None)
    return {
        name: Agent(
            system=systems.get(name),
            tools=tuple(tool for wordings in tools.get(name, {}).values() for tool in wordings),
            since_step=took[name] if name in took and took[name] != first else None,
        )
        for name in sorted(names or {""})
    }


def _is_new(tool: Tool, known: list[Tool]) -> bool:
    if not known:
        return True
    return bool(tool.description) and tool.description != known[-1].description and len(known) < _WORDINGS


def handoffs(steps: list[Step]) -> list[Step]:
    """Marks a result after which another agent goes on, where the call or its answer names that agent."""
    out = list(steps)
    for place, step in enumerate(steps[:-1]):
        following = steps[place + 1]
        if step.role != "environment" or following.role != "agent" or following.thread != step.thread:
            continue
        name = following.agent
        if name and name != step.agent and name in f"{step.name} {step.tool_result}":
            out[place] = msgspec.structs.replace(step, handoff_to=name)
    return out


def missing_of(steps: list[Step]) -> tuple[str, ...]:
    """Says what the telemetry never carried: the user's words, agents' words, arguments, results, or any content."""
    users = [s for s in steps if s.role == "user"]
    agents = [s for s in steps if s.role == "agent"]
    results = [s for s in steps if s.role == "environment"]
    missing = []
    if not users:
        missing.append("user")
    if agents and all("content" in s.missing for s in agents):
        missing.append("agent")
    if any("arguments" in s.missing for s in agents):
        missing.append("arguments")
    if any("result" in s.missing for s in results):
        missing.append("result")
    if {"user", "agent", "arguments"} <= set(missing) and not any(s.tool_result and not s.error for s in results):
        return ("content",)  # an error's text says what failed, not what was asked or answered
    return tuple(missing)
