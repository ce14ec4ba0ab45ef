"""A language model that follows a script, behind Anthropic's Messages interface, streaming as Claude Code asks for it.

Invariant: the answer is a function of the conversation: which of the script's tools were called already.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: A call and the text beside it.
Turn = tuple[str, tuple[str, dict[str, Any]] | None]
#: What to do, call by call, by a piece of the user's text.
Script = dict[str, list[tuple[str, dict[str, Any]]]]
_WAIT = "WaitForMcpServers"


def next_turn(script: Script, body: dict[str, Any]) -> Turn:
    """Picks the first call of the script that was not made yet; waits where its tool is not there yet."""
    asked, used = "", set()
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if message["role"] == "user" and block.get("type") == "text":
                asked = next((text for text in script if text in block["text"]), asked)
            if block.get("type") == "tool_use":
                used.add(block["name"])
    offered = {tool.get("name") for tool in body.get("tools", ())}
    for name, arguments in script.get(asked, ()):
        if name not in used:
            return ("Next.", (name, arguments)) if name in offered or _WAIT not in offered else ("", (_WAIT, {}))
    return "Done.", None


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            start, delta = block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            start = block | {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}


def _message(model: str, turn: Turn) -> dict[str, Any]:
    text, call = turn
    content: list[dict[str, Any]] = [{"type": "text", "text": text or "…"}]
    if call is not None:
        name, arguments = call
        content.append({"type": "tool_use", "id": f"toolu_{secrets.token_hex(12)}", "name": name, "input": arguments})
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if call else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }


@contextmanager
def scripted_anthropic(script: Script) -> Iterator[str]:
    """Serves the script on a free port of loopback; yields the base address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            self._reply(b"{}", "application/json")

        do_HEAD = do_GET  # noqa: N815 - the name that the standard library looks for

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            if "messages" not in body or "count_tokens" in self.path:
                self._reply(b'{"input_tokens": 10}', "application/json")
                return
            message = _message(body.get("model", ""), next_turn(script, body))
            if not body.get("stream"):
                self._reply(json.dumps(message).encode(), "application/json")
                return
            lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _events(message)]
            self._reply("".join(lines).encode(), "text/event-stream")

        def _reply(self, raw: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is its own affair."""

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
