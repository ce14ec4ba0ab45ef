"""A real OTLP/HTTP receiver that keeps what it gets and, like a collector with two pipelines, sends it on elsewhere."""

from __future__ import annotations

import gzip
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.listening import Quiet, listening


class Tee:
    """What came, as protobuf messages."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Any] = []
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[tuple[dict[str, Any], str, Any]]:
        """Resource attributes, scope and span, one by one."""
        return [
            ({each.key: each.value for each in resource.resource.attributes}, scope.scope.name, span)
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def otlp_tee(forward_to: str | None = None, *, strip_resource: bool = False) -> Iterator[Tee]:
    """Listens on loopback until the block ends.

    Args:
        forward_to: base address that gets everything too.
        strip_resource: forward without attributes of resources, as some processors do.
    """
    tee = Tee()

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            raw = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            message = ExportTraceServiceRequest.FromString(raw)
            tee.requests.append(message)
            tee.bodies.append(raw)
            if forward_to is not None:
                _forward(f"{forward_to}{self.path}", raw, strip_resource)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    with listening(Handler) as base:
        tee.url = base
        yield tee


def _forward(url: str, raw: bytes, strip_resource: bool) -> None:
    if strip_resource:
        message = ExportTraceServiceRequest.FromString(raw)
        for resource in message.resource_spans:
            del resource.resource.attributes[:]
        raw = message.SerializeToString()
    request = urllib.request.Request(url, raw, {"Content-Type": "application/x-protobuf"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
