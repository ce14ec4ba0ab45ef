"""An OTLP receiver that is none of ours: opentelemetry-proto's own classes behind a plain HTTP or gRPC server."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.listening import Quiet, listening

_Traces: Any = trace_service_pb2_grpc.TraceServiceServicer
_Logs: Any = logs_service_pb2_grpc.LogsServiceServicer
_serve_traces: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
_serve_logs: Any = logs_service_pb2_grpc.add_LogsServiceServicer_to_server


class Got:
    """What arrived, as protobuf messages; headers of every request."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.headers: list[dict[str, str]] = []
        self.spans: list[Any] = []
        self.logs: list[Any] = []
        self.resources: list[dict[str, Any]] = []
        self.scopes: set[str] = set()

    def traces(self, request: Any) -> None:
        for group in request.resource_spans:
            self.resources.append(values(group.resource.attributes))
            for scoped in group.scope_spans:
                self.scopes.add(scoped.scope.name)
                self.spans += scoped.spans

    def records(self, request: Any) -> None:
        for group in request.resource_logs:
            self.resources.append(values(group.resource.attributes))
            for scoped in group.scope_logs:
                self.scopes.add(scoped.scope.name)
                self.logs += scoped.log_records


def values(attributes: Any) -> dict[str, Any]:
    """Attributes as a plain mapping."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def http_receiver(answers: Sequence[int] = (), *, without: Sequence[str] = ()) -> Iterator[Got]:
    """Answers with these statuses in turn, then takes everything but the signals in `without`."""
    got, left = Got(), list(answers)

    class Handler(Quiet):
        def do_POST(self) -> None:
            got.headers.append({k.lower(): v for k, v in self.headers.items()})
            body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
            signal = self.path.rpartition("/")[2]
            status = left.pop(0) if left else 404 if signal in without else 200
            answer: Any = b""
            if status == 200 and signal == "traces":
                got.traces(ExportTraceServiceRequest.FromString(body))
                answer = ExportTraceServiceResponse().SerializeToString()
            elif status == 200:
                got.records(ExportLogsServiceRequest.FromString(body))
                answer = ExportLogsServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    with listening(Handler) as base:
        got.endpoint = base
        yield got


@contextmanager
def grpc_receiver() -> Iterator[Got]:
    """Takes everything."""
    got = Got()

    class Traces(_Traces):  # type: ignore[misc]
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - as the service names it
            got.headers.append(dict(context.invocation_metadata()))
            got.traces(request)
            return ExportTraceServiceResponse()

    class Logs(_Logs):  # type: ignore[misc]
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - as the service names it
            got.records(request)
            return ExportLogsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    _serve_traces(Traces(), server)
    _serve_logs(Logs(), server)
    got.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield got
    finally:
        server.stop(None).wait()
