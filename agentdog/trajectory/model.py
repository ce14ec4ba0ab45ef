"""What an agent did, step by step: the value types that every room speaks.

The JSON form is the contract of ``agentdog reconstruct --json``: absent keys are left out, times are RFC 3339 UTC with
nine digits, indices count from 0 in data (people see steps counted from 1).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Role = Literal["user", "agent", "environment"]
Completion = Literal["root", "final", "idle", "open"]


class Tool(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A tool offered to an agent.

    Attributes:
        name: as the model sees it.
        description: what the model is told about it; itself a place where risk can hide.
        parameters: JSON Schema of its arguments.
        since_step: index of the first step that could use it, where it was not there from the start.
    """

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    since_step: int | None = None


class Agent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One agent of a trajectory: its system prompt (its *profile*) and its tools.

    `since_step` is the index of the first step that it took, where another agent began.
    """

    system: str | None = None
    tools: tuple[Tool, ...] = ()
    since_step: int | None = None


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An action: a tool's name with arguments.

    Attributes:
        id: the model's call id, or one of ours where the telemetry has none (`id_synthetic`).
        arguments: the decoded object; empty when the text was not a JSON object.
        arguments_raw: the text as it came, only when it could not be decoded.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    arguments_raw: str | None = None
    id_synthetic: bool = False


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """Large or binary content, kept by its hash: IANA media type, size in bytes, SHA-256 in hex."""

    media_type: str
    size: int
    sha256: str


class Step(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step: what the user said, one agent turn (its visible text and its calls), or one tool result.

    Attributes:
        id: stable across arrivals; `index` may move when earlier spans come late.
        content: the text of a user step, or an agent's text without calls (its answer).
        thought: an agent's visible text beside calls.
        reasoning: an agent's hidden reasoning, where the telemetry carries it.
        name: of an environment step, the tool that answered.
        tool_result: of an environment step, its text (JSON text where the tool answered with structure).
        tool_call_id: of an environment step, the call that it answers.
        error: of a failed call, the error's type or message, where it is told apart from the result.
        agent: which agent acted (or whose tool answered).
        thread: sub-agent's thread, where agents nest; `parent_call_id` names the call that opened it.
        sources: ``traceid:spanid`` or ``log:session:sequence``: the records that told this step, or more of it. Who
            only repeats a history is cited once, for the last step that it repeats, so that citations do not grow with
            the square of a run.
        truncated: the telemetry cut the content; what is left is kept as it came.
        missing: what the telemetry did not carry (``content``, ``arguments``, ``result`` …).
        provisional: later records may still retract this step.
    """

    id: str
    index: int
    role: Role
    content: str | None = None
    thought: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    name: str | None = None
    tool_result: str | None = None
    tool_call_id: str | None = None
    is_error: bool = False
    error: str | None = None
    agent: str | None = None
    thread: str | None = None
    parent_call_id: str | None = None
    handoff_to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    start_time: str | None = None
    end_time: str | None = None
    sources: tuple[str, ...]
    truncated: bool = False
    missing: tuple[str, ...] = ()
    provisional: bool = False

    @property
    def text(self) -> str:
        """All visible text of the step, in reading order, without its calls."""
        return "\n".join(t for t in (self.thought, self.content, self.tool_result) if t)


class Trajectory(
    msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="schema", tag="agentdog.trajectory/1"
):
    """A whole run: a pure function of the set of its spans and log records.

    Attributes:
        id: the founding member's; older ids stay as aliases in the store.
        digest: of the set of records it was woven from.
        session_id: the conversation or session id that the telemetry carried.
        agents: by name; ``""`` where the telemetry names none.
        completion: how we know that it ended: root span, final answer, idle time; ``open`` when we do not.
        missing: what the telemetry of this trajectory did not carry at all.
        scopes: instrumentation scopes that took part, ``name@version``.
    """

    id: str
    digest: str
    project: str
    session_id: str | None = None
    agents: dict[str, Agent]
    completion: Completion
    missing: tuple[str, ...]
    scopes: tuple[str, ...]
    steps: tuple[Step, ...]


class Header(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The agents' profiles and tools.

    What a guard sees before the first step is the `opening`; whoever and whatever comes later is seen with the step
    that it comes with, so that the text of a prefix never changes when an agent or a tool joins a running trajectory.
    """

    agents: dict[str, Agent]

    def opening(self) -> Header:
        """Who and what was there from the start."""
        first = {name: agent for name, agent in self.agents.items() if not agent.since_step}
        return Header(agents={name: _with_tools(agent, range(1)) for name, agent in first.items()})

    def arrivals(self) -> dict[int, Header]:
        """Who and what came later, by the index of the step that it came with; of a known agent its new tools only."""
        found: dict[int, dict[str, Agent]] = {}
        for name, agent in self.agents.items():
            came = agent.since_step or 0
            if came:
                found.setdefault(came, {})[name] = _with_tools(agent, range(came + 1))
            for at in sorted({tool.since_step or 0 for tool in agent.tools}):
                if at > came:
                    found.setdefault(at, {})[name] = _with_tools(Agent(tools=agent.tools), range(at, at + 1))
        return {at: Header(agents=agents) for at, agents in sorted(found.items())}

    @staticmethod
    def of(trajectory: Trajectory) -> Header:
        """Takes a trajectory's header."""
        return Header(agents=trajectory.agents)


def _with_tools(agent: Agent, since: range) -> Agent:
    """Keeps the tools that joined with these steps; when it was is left out: it may become known late, and no text."""
    kept = [msgspec.structs.replace(tool, since_step=None) for tool in agent.tools if (tool.since_step or 0) in since]
    return msgspec.structs.replace(agent, tools=tuple(kept), since_step=None)


def title(trajectory: Trajectory, limit: int = 80) -> str:
    """Returns the first line of the first user text, cut to `limit` characters, or the agents' names."""
    for step in trajectory.steps:
        if step.role == "user" and step.content and step.content.strip():
            line = step.content.strip().splitlines()[0]
            return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
    names = ", ".join(name for name in trajectory.agents if name)
    return names or "(no user message)"
