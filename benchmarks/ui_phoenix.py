"""Arize Phoenix showing the same long run, for `benchmarks.ui`: one span a step, in OpenInference's words."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agentdog.spans.otlp_encode import encode_traces
from agentdog.spans.records import Span
from agentdog.trajectory import Step
from benchmarks import ui_data
from benchmarks.phoenix_server import phoenix_server
from benchmarks.processes import until
from tests.support import runs

PROJECT, TRACE = "ui", f"{7:032x}"
_MS = 1_000_000
_STARTS_S = 300.0


def spans(steps: int) -> list[Span]:
    """The long run as a trace: a root, and below it a span for every step with the step's texts and call."""
    run = ui_data.long_run(steps).trajectory
    root = _span(0, steps + 1, "agent run", {"openinference.span.kind": "AGENT", "input.value": "Summarise e-mail."})
    return [root, *(_span(at + 1, 1, f"step-{at + 1}", _attributes(step)) for at, step in enumerate(run.steps))]


def _span(number: int, ms: int, name: str, attributes: dict[str, Any]) -> Span:
    start = runs.START_NS + number * _MS
    return Span(
        trace_id=TRACE,
        span_id=f"{number + 1:016x}",
        parent_id=f"{1:016x}" if number else None,
        name=name,
        start_ns=start,
        end_ns=start + ms * _MS,
        attributes=attributes,
        resource={"openinference.project.name": PROJECT},
    )


def _attributes(step: Step) -> dict[str, Any]:
    said = "\n".join(text for text in (step.thought, step.content, step.tool_result) if text)
    if step.role == "environment":
        return {"openinference.span.kind": "TOOL", "tool.name": step.name or "", "output.value": said}
    kind = {"openinference.span.kind": "LLM" if step.role == "agent" else "CHAIN", "output.value": said}
    message = "llm.output_messages.0.message"
    for at, call in enumerate(step.tool_calls):
        place = f"{message}.tool_calls.{at}.tool_call.function"
        kind |= {f"{place}.name": call.name, f"{place}.arguments": msgspec.json.encode(call.arguments).decode()}
    return kind


@contextmanager
def serving(venv: Path, folder: Path, steps: int) -> Iterator[str]:
    """Serves Phoenix with the trace in it; yields the address of the trace's page."""
    process, base, _ = phoenix_server(venv, folder)
    try:
        body = encode_traces(spans(steps))
        headers = {"content-type": "application/x-protobuf"}
        urllib.request.urlopen(urllib.request.Request(f"{base}/v1/traces", body, headers)).close()
        until("Phoenix has stored the trace", lambda: _stored(base) > steps, _STARTS_S, 0.5)
        (project,) = [each["id"] for each in _got(f"{base}/v1/projects")["data"] if each["name"] == PROJECT]
        yield f"{base}/projects/{project}/traces/{TRACE}"
    finally:
        process.end()


def _got(url: str) -> Any:  # noqa: ANN401 - JSON of Phoenix
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def _stored(base: str) -> int:
    """How many spans can be read."""
    count, cursor = 0, ""
    while True:
        try:
            page = _got(f"{base}/v1/projects/{PROJECT}/spans?limit=500&cursor={cursor}")
        except OSError:  # the project is not there yet
            return 0
        count += len(page["data"])
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return count
