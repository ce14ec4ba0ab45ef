"""An MCP client that calls the mailbox through the proxy. Arguments: calls, as JSON texts of [tool, arguments]."""

# mypy: ignore-errors
import asyncio
import json
import os
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

SERVER = [sys.executable, str(Path(__file__).with_name("mail_server_mcp.py"))]
PROXY = ["-m", "agentdog.client.hooks.mcp_proxy", "--deadline", "5", "--on-not-evaluated", "deny", "--", *SERVER]


async def main() -> None:
    """Makes every call, prints every answer."""
    parameters = StdioServerParameters(command=sys.executable, args=PROXY, env=dict(os.environ))
    async with stdio_client(parameters) as (reading, writing), ClientSession(reading, writing) as session:
        await session.initialize()
        print(sorted(tool.name for tool in (await session.list_tools()).tools))
        for tool, arguments in map(json.loads, sys.argv[1:]):
            answer = await session.call_tool(tool, arguments)
            print(json.dumps({"error": answer.is_error, "text": answer.content[0].text}))


asyncio.run(main())
