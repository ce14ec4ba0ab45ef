"""The same in a graph of one's own: `ToolNode` takes the wrapper. Arguments: what the user says."""

# mypy: ignore-errors
import os
import sys
from mailbox import read_email, send_email, write_note

from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from agentdog.client import Gate
from agentdog.client.hooks.langgraph import wrap_tool_call

TOOLS = [read_email, write_note, send_email]
model = ChatOpenAI(model=os.environ.get("MODEL", "gpt-5-mini")).bind_tools(TOOLS)
graph = StateGraph(MessagesState)
graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
graph.add_node("tools", ToolNode(TOOLS, wrap_tool_call=wrap_tool_call(Gate(deadline=5, on_not_evaluated="deny"))))
graph.add_edge(START, "model")
graph.add_conditional_edges("model", tools_condition)
graph.add_edge("tools", "model")
print(graph.compile().invoke({"messages": [("user", " ".join(sys.argv[1:]))]})["messages"][-1].content)
