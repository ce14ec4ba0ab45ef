"""MCP: a proxy on standard input and output in front of any MCP server; every ``tools/call`` is asked about first.

``agentdog-mcp-proxy --deadline 0.5 --on-not-evaluated deny -- SERVER ARGUMENTS…`` stands where the server stood.

Invariants: what is not a call passes unchanged, line by line; a call that is denied never reaches the server, its
answer is a result with ``isError`` that says why; a line that cannot be read is answered with a parse error and never
passed on. A proxy sees no conversation: it judges by the calls and results that went through it.
(MCP 2025-11-25, "Transports: stdio" and "Tools".)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import threading
from collections import deque
from typing import IO, Any

from agentdog.client.gate import Gate, OnReview
from agentdog.client.hooks import options

_PARSE_ERROR = -32700  # JSON-RPC 2.0, section 5.1
_KEPT = 200  # messages of the past that are shown to the guard


class Proxy:
    """Stands between one client and one server.

    Args:
        gate: who is asked.
        to_client: where the client reads.
        to_server: where the server reads.
    """

    def __init__(self, gate: Gate, to_client: IO[bytes], to_server: IO[bytes]) -> None:
        self._gate = gate
        self._to_client, self._to_server = to_client, to_server
        self._client_lock, self._server_lock, self._past_lock = threading.Lock(), threading.Lock(), threading.Lock()
        self._past: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._open: dict[str, str] = {}
        self._checks: list[threading.Thread] = []

    def from_client(self, lines: IO[bytes]) -> None:
        """Passes on what the client sends until it sends no more; calls wait for answers in threads of their own."""
        for line in lines:
            if not line.strip():
                continue
            try:
                sent = json.loads(line)
            except ValueError:
                self._answer({"jsonrpc": "2.0", "id": None, "error": {"code": _PARSE_ERROR, "message": "Parse error"}})
                continue
            if not any(_is_call(each) for each in (sent if isinstance(sent, list) else [sent])):
                self._forward(line)
                continue
            for each in sent if isinstance(sent, list) else [sent]:  # a batch with calls in it is taken apart
                if _is_call(each):
                    self._check_aside(each)
                else:
                    self._forward(_line(each))
        for check in self._checks:
            check.join(self._gate.deadline + 1)

    def from_server(self, lines: IO[bytes]) -> None:
        """Passes on what the server sends until it sends no more, and remembers the results of calls."""
        for line in lines:
            self._remember(line)
            with self._client_lock:
                self._to_client.write(line)
                self._to_client.flush()

    def _check_aside(self, call: dict[str, Any]) -> None:
        self._checks = [check for check in self._checks if check.is_alive()]
        check = threading.Thread(target=self._check, args=(call,), daemon=True)
        self._checks.append(check)
        check.start()

    def _check(self, call: dict[str, Any]) -> None:
        params = call.get("params") if isinstance(call.get("params"), dict) else {}
        tool, arguments = str((params or {}).get("name", "")), (params or {}).get("arguments") or {}
        with self._past_lock:
            past = list(self._past)
        said = self._gate.ask(tool or "(no name)", arguments, messages=past, call_id=_key(call.get("id")))
        if self._gate.lets_through(said):
            self._took(call.get("id"), tool, arguments)
            self._forward(_line(call))
            return
        text = self._gate.refusal(tool, said)
        result = {"content": [{"type": "text", "text": text}], "isError": True}
        if "id" in call:
            self._answer({"jsonrpc": "2.0", "id": call["id"], "result": result})

    def _took(self, call_id: object, tool: str, arguments: Any) -> None:  # noqa: ANN401 - JSON
        key = _key(call_id)
        function = {"name": tool, "arguments": arguments}
        with self._past_lock:
            self._open[key] = tool
            self._past.append(
                {"role": "assistant", "tool_calls": [{"id": key, "type": "function", "function": function}]}
            )

    def _remember(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            return
        for each in told if isinstance(told, list) else [told]:
            if not isinstance(each, dict) or "method" in each:
                continue
            key = _key(each.get("id"))
            with self._past_lock:
                if self._open.pop(key, None) is not None:
                    self._past.append({"role": "tool", "tool_call_id": key, "content": _text(each)})

    def _answer(self, message: dict[str, Any]) -> None:
        with self._client_lock:
            self._to_client.write(_line(message))
            self._to_client.flush()

    def _forward(self, line: bytes) -> None:
        with self._server_lock:
            self._to_server.write(line if line.endswith(b"\n") else line + b"\n")
            self._to_server.flush()


def main(arguments: list[str] | None = None) -> int:
    """Starts the server behind the proxy; returns its exit code."""
    parser = argparse.ArgumentParser(prog="agentdog-mcp-proxy", description=__doc__)
    options.add(parser)
    parser.add_argument("--on-review", choices=("allow", "deny"), default="deny", help="there is nobody to ask here")
    parser.add_argument("server", nargs="+", help="the server's command, behind --")
    given = parser.parse_args(arguments)
    on_review: OnReview = given.on_review
    gate = options.gate(parser, given, on_review=on_review)
    try:
        server = subprocess.Popen(given.server, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - theirs
    except OSError as error:
        parser.error(f"the server cannot be started: {error}")
    if server.stdin is None or server.stdout is None:  # never: both are pipes
        return 1
    proxy = Proxy(gate, sys.stdout.buffer, server.stdin)
    reading = threading.Thread(target=_read, args=(proxy, server), daemon=True)
    reading.start()
    try:
        proxy.from_server(server.stdout)
    except BrokenPipeError:  # the client left
        server.terminate()
    return server.wait()


def _read(proxy: Proxy, server: subprocess.Popen[bytes]) -> None:
    """Reads the client to its end, and then closes the server's input: the way a client ends a server."""
    with contextlib.suppress(BrokenPipeError, ValueError):  # the server ended first
        proxy.from_client(sys.stdin.buffer)
    with contextlib.suppress(BrokenPipeError):
        if server.stdin is not None:
            server.stdin.close()


def _is_call(message: object) -> bool:
    return isinstance(message, dict) and message.get("method") == "tools/call"


def _text(answer: dict[str, Any]) -> str:
    """The text of a call's answer."""
    result = answer.get("result")
    content = result.get("content") if isinstance(result, dict) else None
    if not isinstance(content, list):
        return json.dumps(answer.get("error", result), ensure_ascii=False)
    return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def _line(message: object) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _key(message_id: object) -> str:
    return json.dumps(message_id)


if __name__ == "__main__":
    sys.exit(main())
