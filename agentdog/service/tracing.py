"""The sidecar's traces of its own work: what was received, woven, judged, and how long each took.

Off unless a setting names a receiver. Spans carry ids, counts and times, and no word of any run; they are marked as
ours, and `agentdog.spans.own` keeps them from being taken in where a collector sends them back. Invariant: a request
that held nothing but our own spans leaves no span, or each batch would beget the next.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NoOpTracer, SpanKind, Tracer

from agentdog import __version__
from agentdog.base.errors import UsageError
from agentdog.guards import Verdict
from agentdog.outbound.otlp import headers_of
from agentdog.service.settings import TracesSettings
from agentdog.spans.own import EMITTED, SCOPE

SILENT: Tracer = NoOpTracer()
_EVERY_MS = 1000
_TIMEOUT_S = 5


@asynccontextmanager
async def open_tracing(settings: TracesSettings, process: str) -> AsyncIterator[Tracer]:
    """Gives a tracer for one process; what it gathered is sent when the block ends, within a few seconds.

    Raises:
        UsageError: the receiver's address is none.
    """
    if settings.endpoint is None:
        yield SILENT
        return
    parts = urlsplit(settings.endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("AGENTDOG_TRACES__ENDPOINT: give an address like http://127.0.0.1:4318")
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": "agentdog",
                "service.version": __version__,
                "service.instance.id": f"{socket.gethostname()}-{process}",
                "agentdog.process": process,
                EMITTED: True,
            }
        ),
        sampler=ParentBased(TraceIdRatioBased(settings.share)),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces", headers=headers_of(settings.headers), timeout=_TIMEOUT_S
    )
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_EVERY_MS))
    try:
        yield provider.get_tracer(SCOPE, __version__)
    finally:
        await asyncio.to_thread(provider.shutdown)


def asked(tracer: Tracer, guard: str, index: int, verdict: Verdict, now_ns: int) -> None:
    """Tells of one answer of a guard, which has just come, as a child of the span that is open."""
    span = tracer.start_span("ask guard", kind=SpanKind.CLIENT, start_time=now_ns - int(verdict.latency_ms * 1e6))
    if span.is_recording():
        told: dict[str, str | int | None] = {
            "agentdog.guard.name": guard,
            "agentdog.step.number": index + 1,
            "agentdog.verdict": verdict.outcome.value,
            "agentdog.reason": verdict.reason.value if verdict.reason else None,
            "agentdog.tokens.prompt": verdict.prompt_tokens,
            "agentdog.tokens.cached": verdict.cached_tokens,
            "agentdog.tokens.completion": verdict.completion_tokens,
        }
        span.set_attributes({name: value for name, value in told.items() if value is not None})
    span.end(now_ns)
