"""What a request takes in memory is bounded by its size, and told while it is read, whatever it is filled with."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from agentdog.base.errors import DecodeError, Overloaded
from agentdog.spans.allowance import FACTOR, FREE, Allowance
from agentdog.spans.otlp import JSON, PROTOBUF, decode_logs, decode_traces, receive_traces
from tests.support import dense_bodies
from tests.support.tree import linux_only

_SIZE = 3
_LOOSE = 16 << 20  # what an allocator takes and does not use, and one span that is open


@linux_only  # a process's memory is read from /proc, as its tree is
def test_no_body_takes_more_than_its_size_allows_or_more_than_was_told() -> None:
    command = [sys.executable, "-m", "tests.support.dense_bodies", "--mebibytes", str(_SIZE)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == len(dense_bodies.protobuf(64)) + len(dense_bodies.json(64))
    for row in rows:
        assert row["took"] <= row["told"] + _LOOSE, row
        assert row["took"] <= FREE + FACTOR * row["size"], row


def test_who_watches_over_memory_can_stop_a_request_while_it_is_read() -> None:
    def full(size: int) -> None:
        raise Overloaded(f"{size} bytes are too many just now")

    for name, (body, logs) in dense_bodies.protobuf(1 << 20).items():
        if "least" in name:
            for read in (decode_logs,) if logs else (receive_traces, decode_traces):
                with pytest.raises(Overloaded):
                    read(body, PROTOBUF, full)
    for body in dense_bodies.json(1 << 20).values():
        with pytest.raises(Overloaded):
            decode_traces(body, JSON, full)


def test_a_request_that_takes_too_much_is_refused_with_the_remedy() -> None:
    body = dense_bodies.protobuf(1 << 20)["empty resources"][0]
    for read in (receive_traces, decode_traces, decode_logs):
        with pytest.raises(DecodeError, match="smaller batches"):
            read(body, PROTOBUF)


def test_an_allowance_grows_with_the_request() -> None:
    small, large = Allowance(0), Allowance(1 << 20)
    small.take(FREE)
    large.take(FREE + (FACTOR << 20))
    for each in (small, large):
        with pytest.raises(DecodeError):
            each.take(1 << 20)


def test_texts_full_of_braces_and_commas_are_no_objects() -> None:
    text = "{," * (3 << 20)
    value = {"key": "k", "value": {"stringValue": text}}
    span = {"traceId": "01" * 16, "spanId": "02" * 8, "startTimeUnixNano": 1, "attributes": [value]}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    (read,) = decode_traces(body, JSON).records
    assert read.attributes == {"k": text}
