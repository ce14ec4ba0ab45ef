"""A sidecar that answers checks with one thing, or misbehaves in one way; what it was asked is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.ports import closed_port

Asked = list[dict[str, Any]]


@contextmanager
def checks(body: bytes, status: int = 200, *, hangs: bool = False) -> Iterator[tuple[str, Asked]]:
    """Serves; yields its address and the bodies it was sent."""
    asked: Asked = []
    leaving = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if hangs:
                leaving.wait(30)
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        leaving.set()
        server.shutdown()
        server.server_close()
        thread.join()


def said(decision: str) -> bytes:
    """An answer of the sidecar's."""
    return json.dumps({"decision": decision, "reason": "Because.", "by": "policy", "rule": "r1"}).encode()


@contextmanager
def failing(how: str) -> Iterator[str]:
    """Every way in which nobody can say; yields the address to ask."""
    if how == "nobody":
        yield f"http://127.0.0.1:{closed_port()}"
        return
    ways: dict[str, tuple[bytes, int, bool]] = {
        "hangs": (b"", 200, True),
        "error": (b"oops", 500, False),
        "refused": (b'{"error": {"code": "invalid_value", "message": "no"}}', 400, False),
        "not json": (b"<html>", 200, False),
        "no decision": (b"{}", 200, False),
        "unknown decision": (b'{"decision": "maybe"}', 200, False),
    }
    body, status, hangs = ways[how]
    with checks(body, status, hangs=hangs) as (base, _):
        yield base


FAILURES = ("nobody", "hangs", "error", "refused", "not json", "no decision", "unknown decision")
