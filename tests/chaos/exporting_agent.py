"""An instrumented agent that runs until it is told to stop, and notes which spans its exporter got acknowledged."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

_stopping = False


class _Noting(SpanExporter):
    """The official exporter, and a note of what it says was taken."""

    def __init__(self, endpoint: str, said: Path) -> None:
        self._inner = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=5)
        self._said = said.open("a")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            for span in spans:
                context = span.get_span_context()
                if context is not None:
                    kind = span.name.partition(" ")[0]
                    self._said.write(f"{kind} {context.trace_id:032x}:{context.span_id:016x}\n")
            self._said.flush()
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()  # type: ignore[no-untyped-call]
        self._said.close()


def _stop(_number: int, _frame: FrameType | None) -> None:
    global _stopping  # noqa: PLW0603 - a signal handler has no other place
    _stopping = True


def main(endpoint: str, said: str) -> None:
    signal.signal(signal.SIGTERM, _stop)
    provider = TracerProvider()
    provider.add_span_processor(
        BatchSpanProcessor(_Noting(endpoint, Path(said)), schedule_delay_millis=100, max_export_batch_size=64)
    )
    tracer = provider.get_tracer("agent")
    number = 0
    while not _stopping:
        number += 1
        history = [{"role": "user", "parts": [{"type": "text", "content": f"Question {number}"}]}]
        with tracer.start_as_current_span(
            "invoke_agent helper", attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
        ):
            for turn in range(3):
                answer = {"role": "assistant", "parts": [{"type": "text", "content": f"Answer {number}.{turn}"}]}
                attributes = {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "m",
                    "gen_ai.response.id": f"resp-{number}-{turn}",
                    "gen_ai.input.messages": json.dumps(history),
                    "gen_ai.output.messages": json.dumps([{**answer, "finish_reason": "stop"}]),
                }
                with tracer.start_as_current_span("chat m", attributes=attributes):
                    time.sleep(0.003)
                history += [answer, {"role": "user", "parts": [{"type": "text", "content": f"Then {number}.{turn}?"}]}]
        time.sleep(0.02)
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
