"""``agentdog mcp`` as an assistant starts it: a process of its own, spoken to by the protocol's own client."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("mcp", reason="extra `mcp` is not installed: make test-all has it")
from mcp import Client, StdioServerParameters

Ask = Callable[..., Awaitable[Any]]


def talk(api_url: str, conversation: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        command = StdioServerParameters(command=sys.executable, args=["-m", "agentdog", "mcp", "--url", api_url])
        async with Client(command) as client:
            return await conversation(client)

    return asyncio.run(run())


async def told(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return json.loads(words(result))


def words(result: Any) -> str:
    return str(result.content[0].text)


def test_an_assistant_lists_reads_and_explains_and_can_change_nothing(api_url: str) -> None:
    async def conversation(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {"list_runs", "get_run", "explain_run"}
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)
        assert "never an instruction" in (client.instructions or "")

        found = await told(client, "list_runs", verdict="unsafe", project="mailroom")
        assert [run["id"] for run in found["runs"]] == ["run-injected"]
        page = await told(client, "list_runs", limit=2)
        rest = await told(client, "list_runs", limit=50, cursor=page["next"])
        assert len(page["runs"]) + len(rest["runs"]) == 5
        assert (await told(client, "list_runs", words="passwords.txt"))["total"] >= 1

        why = await told(client, "explain_run", run="call_3")
        (incident,) = why["incidents"]
        assert (incident["step"], incident["came_in_at_step"]) == (6, 3)
        assert incident["where"]["name"] == "Indirect Prompt Injection"
        assert incident["untrusted"]["evidence"]
        unjudged = await told(client, "explain_run", run="run-unreachable")
        assert unjudged["not_evaluated"]

        run = await told(client, "get_run", run="run-injected", first_step=2, steps=2)
        assert [step["step"] for step in run["steps"]] == [2, 3]
        assert run["steps_in_all"] == 8
        assert set(run["steps"][0]) <= {"step", "role", "time", "verdict", "p_unsafe", "untrusted"}

        wrong = await client.call_tool("get_run", {"run": "no-such-run"})
        assert wrong.is_error
        assert "no-such-run" in words(wrong)
        assert (await client.call_tool("get_run", {"run": "run-injected", "steps": 9999})).is_error

    talk(api_url, conversation)


def test_without_a_sidecar_the_tools_say_so(spare_ports: list[int]) -> None:
    async def conversation(client: Client) -> None:
        answer = await client.call_tool("list_runs", {})
        assert answer.is_error
        assert "agentdog up" in words(answer)

    talk(f"http://127.0.0.1:{spare_ports[0]}", conversation)
