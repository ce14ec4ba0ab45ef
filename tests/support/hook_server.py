"""A receiver of webhooks that fails as told: a real HTTP server on a free port of loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.support.listening import Quiet, listening


class Received:
    """What came in, in order; `taken` are those that were answered with success."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes, int]] = []
        self.hang_s = 0.0
        self.more: dict[str, str] = {}

    @property
    def taken(self) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for headers, body, status in self.requests if 200 <= status < 300]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.taken]


@contextmanager
def hook_server(answers: Sequence[int] = ()) -> Iterator[Received]:
    """Answers with these statuses in turn, then with 200."""
    received = Received()
    received.answers = list(answers)

    class Handler(Quiet):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:
                return  # whoever sent it was killed on the way: no request yet
            time.sleep(received.hang_s)
            status = received.answers.pop(0) if received.answers else 200
            received.requests.append(({k.lower(): v for k, v in self.headers.items()}, body, status))
            try:
                self.send_response(status)
                for name, value in received.more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                pass  # whoever asked has left

    with listening(Handler) as base:
        received.url = f"{base}/hook"
        yield received
