"""Which hook makes an agent ask before it acts, told from the instrumentation that its telemetry names.

Invariant: every name that is shown is there in `agentdog.client`, which a test holds; whole programs that use them are
in ``examples/hooks`` and run in the real frameworks.
"""

from __future__ import annotations

import msgspec

from agentdog.trajectory import Trajectory

_GATE = 'gate = Gate(deadline=0.5, on_not_evaluated="deny")  # no verdict in time: deny, your choice'


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A hook: its name, and the lines to add."""

    name: str
    snippet: str


_OPENAI_AGENTS = Hook(
    name="openai-agents",
    snippet=f"""from agentdog.client import Gate
from agentdog.client.hooks.openai_agents import guard
{_GATE}
agent = guard(agent, gate)  # every function tool asks first""",
)
_LANGGRAPH = Hook(
    name="langgraph",
    snippet=f"""from agentdog.client import Gate
from agentdog.client.hooks.langgraph import middleware
{_GATE}
agent = create_agent(model, tools, middleware=[middleware(gate)])""",
)
_PYDANTIC_AI = Hook(
    name="pydantic-ai",
    snippet=f"""from agentdog.client import Gate
from agentdog.client.hooks.pydantic_ai import capability
{_GATE}
agent = Agent(model, tools=tools, capabilities=[capability(gate)])""",
)
_CLAUDE_CODE = Hook(
    name="claude-code",
    snippet="""{"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [{"type": "command", "timeout": 5,
  "command": "python -m agentdog.client.hooks.claude_code --deadline 2 --on-not-evaluated deny"}]}]}}""",
)
_MCP = Hook(
    name="mcp",
    snippet="python -m agentdog.client.hooks.mcp_proxy --deadline 0.5 --on-not-evaluated deny -- YOUR-SERVER ARGUMENTS",
)
_CLIENT = Hook(
    name="client",
    snippet=f"""from agentdog.client import Gate
{_GATE}
answer = gate.ask(tool, arguments, messages=messages)
if not gate.lets_through(answer):
    result = gate.refusal(tool, answer)  # what the model is told; the tool is not run""",
)
#: Part of an instrumentation scope's name → hook; the first that fits.
_BY_SCOPE = (
    ("openai_agents", _OPENAI_AGENTS),
    ("openai-agents", _OPENAI_AGENTS),
    ("langchain", _LANGGRAPH),
    ("langgraph", _LANGGRAPH),
    ("langsmith", _LANGGRAPH),
    ("pydantic", _PYDANTIC_AI),
    ("claude_code", _CLAUDE_CODE),
    ("mcp", _MCP),
)


def hook_for(trajectory: Trajectory) -> Hook:
    """Returns the hook of the framework that told a run; that of plain code where none is known."""
    scopes = " ".join(trajectory.scopes).lower()
    return next((hook for part, hook in _BY_SCOPE if part in scopes), _CLIENT)
