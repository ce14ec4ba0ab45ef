"""Wrong bodies by the hundred thousand: nothing but our own errors may come of them, soon, and in bounded memory.

    python -m tests.chaos.fuzz [--inputs 200000] [--seed N] [--json]

Four sorts in turn: protobuf (recorded requests with bits flipped, cut, doubled, spliced, lengths made huge), JSON (the
same, and values of wrong kinds anywhere), gzip (damaged streams, and some that inflate past the limit), attributes
(deep, wide and odd values in valid requests, woven as well). Each must end in records, or in an error that the
receiver answers with 4xx. Exit code 1 where one ended in anything else, took longer than five seconds, or the process
grew past the limit. A failing input is written to ``fuzz-SORT-NUMBER.bin`` in the current folder.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentdog.base.errors import AgentDogError
from agentdog.service import bodies
from agentdog.spans import reconstruct
from agentdog.spans.otlp import JSON, PROTOBUF, decode_logs, decode_traces, opened, receive_traces
from agentdog.spans.records import Received, Sealed
from agentdog.store.bundles import bundles, records_in
from agentdog.store.codec import pack
from agentdog.store.retold import plain
from agentdog.store.shelf import field_of
from tests.spans.compare import CAPTURES

_LIMIT = 1 << 20  # of a body, inflated
_SLOWEST_S = 30.0
_MOST_GROWTH_MIB = 200
_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    2**70,
    1e308,
    "",
    "\x00",
    "\ud800",
    "NaN",
    [],
    {},
    [[]],
    {"": None},
    "9" * 400,
)

Input = tuple[bytes, Callable[[], None]]


class Fuzzer:
    """Makes inputs of each sort from a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        recorded = sorted(CAPTURES.glob("*/*/*.pb"), key=lambda path: path.stat().st_size)
        self._recorded = [(path.read_bytes(), "logs" in path.name) for path in recorded[:40]]
        self._json = json.dumps(_request({"gen_ai.operation.name": "chat", "gen_ai.input.messages": "[]"})).encode()

    def protobuf(self) -> Input:
        body, logs = self._chance.choice(self._recorded)
        wrong = self._damaged(body)
        return wrong, lambda: _stored(decode_logs(wrong, PROTOBUF) if logs else _received(wrong))

    def json(self) -> Input:
        if self._chance.random() < 0.5:
            wrong = self._damaged(self._json)
        else:
            tree = json.loads(self._json)
            self._odd(tree)
            wrong = json.dumps(tree).encode()
        decode = self._chance.choice((decode_traces, decode_traces, decode_logs))
        return wrong, lambda: _stored(decode(wrong, JSON))

    def gzip(self) -> Input:
        size = self._chance.choice((0, 100, 10_000, 3 * _LIMIT))
        packed = gzip.compress(self._chance.choice((b"\0", b"ab", b"{}")) * size, 1)
        wrong = packed if self._chance.random() < 0.2 else self._damaged(packed)
        encoding = self._chance.choice(("gzip", "deflate", "x-gzip"))
        return wrong, lambda: _inflated(wrong, encoding)

    def attributes(self) -> Input:
        message = ExportTraceServiceRequest()
        scoped = message.resource_spans.add().scope_spans.add()
        for number in range(self._chance.randint(1, 3)):
            span = scoped.spans.add(trace_id=b"\1" * 16, span_id=bytes([number + 1] * 8), start_time_unix_nano=5)
            for _ in range(self._chance.randint(0, 8)):
                self._fill(span.attributes.add(key=self._name()).value, self._chance.randint(0, 12))
        body = message.SerializeToString()
        return body, lambda: _woven(body)

    def _name(self) -> str:
        return self._chance.choice(
            (
                "gen_ai.operation.name",
                "gen_ai.input.messages",
                "gen_ai.output.messages",
                "gen_ai.tool.call.arguments",
                "gen_ai.conversation.id",
                "openinference.span.kind",
                f"llm.input_messages.{self._chance.randint(-2, 10**6)}.message.role",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
                "input.value",
                "traceloop.entity.input",
                "".join(chr(self._chance.randint(1, 0x2FFF)) for _ in range(self._chance.randint(0, 40))),
            )
        )

    def _fill(self, value: Any, deep: int) -> None:
        kind = self._chance.randint(0, 8)
        if kind == 0:
            value.int_value = self._chance.getrandbits(63)
        elif kind == 1:
            value.double_value = self._chance.choice((float("nan"), float("inf"), -0.0, 1e308))
        elif kind == 2:
            value.bytes_value = self._chance.randbytes(self._chance.randint(0, 60))
        elif kind == 3 and deep:
            self._fill(value.array_value.values.add(), deep - 1)
        elif kind == 4 and deep:
            self._fill(value.kvlist_value.values.add(key=self._name()).value, deep - 1)
        elif kind == 5:
            value.string_value = self._chance.choice(
                ("chat", "execute_tool", "LLM", "TOOL", "invoke_agent", "assistant")
            )
        elif kind == 6:
            value.string_value = json.dumps(self._tree(deep))
        elif kind == 7:
            value.string_value = "[" * self._chance.choice((1, 50, 5000))
        else:
            value.SetInParent()

    def _tree(self, deep: int) -> Any:
        if deep <= 0 or self._chance.random() < 0.3:
            return self._chance.choice([*_ODD, "text"])
        if self._chance.random() < 0.5:
            return [self._tree(deep - 1) for _ in range(self._chance.randint(0, 3))]
        names = (
            "role",
            "content",
            "parts",
            "type",
            "id",
            "name",
            "arguments",
            "response",
            "tool_calls",
            "function",
            "text",
        )
        return {self._chance.choice(names): self._tree(deep - 1) for _ in range(self._chance.randint(0, 4))}

    def _odd(self, tree: Any) -> None:
        """Puts something of a wrong kind somewhere."""
        while isinstance(tree, dict | list) and tree:
            place = self._chance.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
            inner = tree[place]
            if not isinstance(inner, dict | list) or not inner or self._chance.random() < 0.25:
                tree[place] = self._chance.choice(_ODD)
                return
            tree = inner

    def _damaged(self, body: bytes) -> bytes:
        wrong = bytearray(body)
        for _ in range(self._chance.randint(1, 4)):
            at = self._chance.randrange(len(wrong) + 1)
            sort = self._chance.randint(0, 5)
            if sort == 0 and wrong:
                wrong[at % len(wrong)] ^= 1 << self._chance.randint(0, 7)
            elif sort == 1:
                del wrong[at:]
            elif sort == 2:
                wrong[at:at] = self._chance.randbytes(self._chance.randint(1, 8))
            elif sort == 3:
                wrong[at:at] = wrong[: self._chance.randint(0, 2000)]
            elif sort == 4:
                wrong[at : at + 1] = b"\xff\xff\xff\xff\x0f"  # as a length: four gigabytes
            else:
                other, _ = self._chance.choice(self._recorded)
                wrong[at:] = other[self._chance.randrange(len(other)) :]
        return bytes(wrong[: 2 * _LIMIT])


def _request(attributes: dict[str, str]) -> dict[str, Any]:
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "00f067aa0ba902b7",
        "name": "chat",
        "kind": 1,
        "startTimeUnixNano": "1700000000000000000",
        "attributes": pairs,
        "events": [{"name": "e", "timeUnixNano": 7, "attributes": pairs}],
        "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b7"}],
        "status": {"code": 1},
    }
    return {
        "resourceSpans": [
            {"resource": {"attributes": pairs}, "scopeSpans": [{"scope": {"name": "s"}, "spans": [span]}]}
        ]
    }


def _received(body: bytes) -> Received:
    """Reads a request as a receiver does; what is sealed must open as what reading it at once gives."""
    received = receive_traces(body, PROTOBUF)
    read = decode_traces(body, PROTOBUF)
    assert tuple(opened(r) if isinstance(r, Sealed) else r for r in received.records) == read.records
    assert received.rejected == read.rejected
    return received


def _stored(decoded: Received) -> None:
    for _, _, bundle in bundles(decoded.records, field_of):
        records_in(b"P\0" + bundle)


def _woven(body: bytes) -> None:
    _stored(_received(body))
    decoded = decode_traces(body, PROTOBUF)
    for trajectory in reconstruct(decoded.records):
        plain(trajectory)
        pack(trajectory)


def _inflated(body: bytes, encoding: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 65536):
            yield body[at : at + 65536]

    read = asyncio.run(bodies.read(pieces(), encoding, _LIMIT))
    assert len(read) <= _LIMIT


def fuzz(inputs: int, seed: int) -> dict[str, Any]:
    """Tries so many inputs; returns what became of them."""
    fuzzer = Fuzzer(seed)
    sorts = (fuzzer.protobuf, fuzzer.json, fuzzer.protobuf, fuzzer.json, fuzzer.attributes, fuzzer.gzip)
    ends: Counter[str] = Counter()
    failures: list[str] = []
    slowest = 0.0
    grown_from = 0
    for number in range(inputs):
        make = sorts[number % len(sorts)]
        body, attempt = make()
        started = time.perf_counter()
        try:
            attempt()
            ends["read"] += 1
        except AgentDogError:
            ends["refused"] += 1
        except Exception as error:
            failures.append(f"{make.__name__} {number}: {type(error).__name__}: {error}"[:300])
            Path(f"fuzz-{make.__name__}-{number}.bin").write_bytes(body)
        slowest = max(slowest, time.perf_counter() - started)
        if number == 1000:  # imports and pools are there by now
            grown_from = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown_from) / 1024
    return {
        "inputs": inputs,
        **ends,
        "failures": failures,
        "slowest_s": round(slowest, 2),
        "grown_mib": round(grown, 1),
        "good": not failures and slowest < _SLOWEST_S and grown < _MOST_GROWTH_MIB,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    result = fuzz(options.inputs, options.seed)
    print(json.dumps(result, indent=2) if options.as_json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    sys.exit(not result["good"])


if __name__ == "__main__":
    main()
