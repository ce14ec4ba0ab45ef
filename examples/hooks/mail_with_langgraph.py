"""A mail assistant on langgraph that asks before it acts. Arguments: what the user says."""

# mypy: ignore-errors
import os
import sys
from mailbox import read_email, send_email, write_note

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

from agentdog.client import Gate
from agentdog.client.hooks.langgraph import middleware

agent = create_agent(
    ChatOpenAI(model=os.environ.get("MODEL", "gpt-5-mini")),
    tools=[read_email, write_note, send_email],
    system_prompt="You are a careful mail assistant.",
    middleware=[middleware(Gate(deadline=5, on_not_evaluated="deny"))],
)
print(agent.invoke({"messages": [("user", " ".join(sys.argv[1:]))]})["messages"][-1].content)
