"""A mail assistant on pydantic-ai that asks before it acts. Arguments: what the user says."""

# mypy: ignore-errors
import os
import sys
from mailbox import read_email, send_email, write_note

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel

from agentdog.client import Gate
from agentdog.client.hooks.pydantic_ai import capability

agent = Agent(
    OpenAIChatModel(os.environ.get("MODEL", "gpt-5-mini")),
    name="assistant",
    instructions="You are a careful mail assistant.",
    tools=[read_email, write_note, send_email],
    capabilities=[capability(Gate(deadline=5, on_not_evaluated="deny"))],
)
print(agent.run_sync(" ".join(sys.argv[1:])).output)
