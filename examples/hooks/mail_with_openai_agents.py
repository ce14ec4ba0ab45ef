"""A mail assistant on openai-agents that asks before it acts. Arguments: what the user says."""

# mypy: ignore-errors
import os
import sys
from mailbox import read_email, send_email, write_note

from agents import Agent, Runner, function_tool, set_tracing_disabled

from agentdog.client import Gate
from agentdog.client.hooks.openai_agents import guard

set_tracing_disabled(True)
agent = Agent(
    name="assistant",
    instructions="You are a careful mail assistant.",
    model=os.environ.get("MODEL", "gpt-5-mini"),
    tools=[function_tool(tool) for tool in (read_email, write_note, send_email)],
)
agent = guard(agent, Gate(deadline=5, on_not_evaluated="deny"))
print(Runner.run_sync(agent, " ".join(sys.argv[1:])).final_output)
