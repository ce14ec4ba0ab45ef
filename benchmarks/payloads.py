"""Telemetry of small agent runs, for benchmarks: OTLP requests as an exporter with batches would send them.

A run is one trace of eight spans in OpenTelemetry GenAI conventions, content included: an agent, four model calls that
repeat the short history so far, and three tool calls between them; texts of about a hundred characters, each its own.
"""

from __future__ import annotations

import json
import random
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS = 8  # of one run
STEPS = 8  # that it is read as: the question, three calls with their results, the answer
_TURNS = 3
_START_NS = 1_790_000_000_000_000_000
_SECOND = 1_000_000_000
_WORDS = """
    order ticket refund invoice customer address parcel email calendar meeting report budget server deploy branch review
    commit search result weather flight hotel price table chart summary answer question reply forward draft
""".split()  # noqa: SIM905 - read by people


def requests(runs: int, spans_per_request: int, seed: int) -> list[bytes]:
    """Returns protobuf bodies that hold so many runs; a run may be split over two of them."""
    rng = random.Random(seed)
    spans = [span for number in range(runs) for span in _run(rng, number)]
    return [_body(spans[at : at + spans_per_request]) for at in range(0, len(spans), spans_per_request)]


def trace_ids(runs: int, seed: int) -> list[str]:
    """Returns the trace ids of the runs that `requests` makes of the same seed."""
    rng = random.Random(seed)
    return [_run(rng, number)[0]["trace_id"].hex() for number in range(runs)]


def _body(spans: list[dict[str, Any]]) -> bytes:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    resource = {"service.name": "shop-agent", "telemetry.sdk.language": "python", "telemetry.sdk.name": "opentelemetry"}
    for name, value in resource.items():
        group.resource.attributes.add(key=name).value.string_value = value
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "opentelemetry.instrumentation.openai_v2", "2.4b0"
    for span in spans:
        attributes = span["attributes"]
        added = scoped.spans.add(**{name: value for name, value in span.items() if name != "attributes"})
        added.status.code = 1
        for name, value in attributes.items():
            target = added.attributes.add(key=name).value
            if isinstance(value, int):
                target.int_value = value
            else:
                target.string_value = value
    return bytes(message.SerializeToString())


def _text(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=14))


def _run(rng: random.Random, number: int) -> list[dict[str, Any]]:
    trace, root = rng.randbytes(16), rng.randbytes(8)
    at = _START_NS + number * _SECOND
    asked, answer = _text(rng), _text(rng)
    common = {"gen_ai.conversation.id": f"conv_{rng.getrandbits(48):012x}", "gen_ai.agent.name": "helper"}
    history: list[dict[str, Any]] = [{"role": "user", "parts": [{"type": "text", "content": asked}]}]
    spans = []

    def add(name: str, attributes: dict[str, Any], span_id: bytes, parent: bytes, start: int, end: int) -> None:
        spans.append(
            {
                "trace_id": trace,
                "span_id": span_id,
                "parent_span_id": parent,
                "name": name,
                "kind": 1,
                "start_time_unix_nano": at + start * 1_000_000,
                "end_time_unix_nano": at + end * 1_000_000,
                "attributes": {**attributes, **common},
            }
        )

    add("invoke_agent helper", {"gen_ai.operation.name": "invoke_agent"}, root, b"", 0, 100 * (_TURNS + 1))
    for turn in range(_TURNS + 1):
        call_id, query, found = f"call_{rng.getrandbits(64):016x}", {"query": _text(rng)}, _text(rng)
        parts: list[dict[str, Any]] = [{"type": "text", "content": answer}]
        if turn < _TURNS:
            parts = [{"type": "tool_call", "id": call_id, "name": "lookup", "arguments": query}]
        said = {"role": "assistant", "parts": parts}
        add("chat gpt-5", _model_call(rng, history, said), rng.randbytes(8), root, 100 * turn, 100 * turn + 50)
        if turn < _TURNS:
            tool = _tool_call(call_id, query, found)
            add("execute_tool lookup", tool, rng.randbytes(8), root, 100 * turn + 50, 100 * turn + 90)
            back = {"type": "tool_call_response", "id": call_id, "response": found}
            history += [said, {"role": "tool", "parts": [back]}]
    return spans


def _model_call(rng: random.Random, history: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    done = {**said, "finish_reason": "stop" if len(said["parts"][0]) == 2 else "tool_calls"}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.id": f"resp_{rng.getrandbits(64):016x}",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.input.messages": json.dumps(history),
        "gen_ai.output.messages": json.dumps([done]),
    }


def _tool_call(call_id: str, query: dict[str, str], found: str) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "lookup",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.call.arguments": json.dumps(query),
        "gen_ai.tool.call.result": found,
    }
