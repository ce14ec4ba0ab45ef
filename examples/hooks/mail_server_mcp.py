"""The mailbox as an MCP server on standard input and output."""

# mypy: ignore-errors
from mailbox import read_email, send_email, write_note

from mcp.server.mcpserver import MCPServer

server = MCPServer("mailbox")
for tool in (read_email, write_note, send_email):
    server.tool()(tool)
server.run()
