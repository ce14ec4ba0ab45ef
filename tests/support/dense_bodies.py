"""OTLP bodies that take many times their bytes to read: two or three bytes make an empty span, attribute or value.

    python -m tests.support.dense_bodies [--mebibytes 8]

reads each in a process of its own and says what that took: a line of JSON per body. Linux only.
"""

from __future__ import annotations

import argparse
import json as json_text
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agentdog.base.errors import DecodeError
from agentdog.spans.otlp import JSON, PROTOBUF, decode_logs, decode_traces, receive_traces
from agentdog.spans.records import Received

_TRACE = b"\x0a\x10" + b"t" * 16 + b"\x12\x08" + b"s" * 8
_START = b"\x39" + (1).to_bytes(8, "little")
_SPAN = _TRACE + _START  # the least that is a span
_LOG = b"\x09" + (1).to_bytes(8, "little")  # the least that is a log record


def message(tag: bytes, content: bytes) -> bytes:
    """Writes a protobuf field that holds a message or bytes."""
    return b"".join((tag, varint(len(content)), content))


def varint(value: int) -> bytes:
    """Writes a number as protobuf does."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def framed(leaves: bytes, *, before: bytes = b"") -> bytes:
    """Returns a request of one resource and one scope, given spans or log records with their tags."""
    return message(b"\x0a", before + message(b"\x12", leaves))


def _filled(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


def protobuf(size: int) -> Mapping[str, tuple[bytes, bool]]:
    """Returns bodies of about `size` bytes by what fills them; and whether they are log requests."""
    empty = _filled(b"\x0a\x00", size)
    pair = message(b"\x4a", message(b"\x0a", b"k") + message(b"\x12", message(b"\x2a", empty)))
    overlong = _filled(b"\xca\x00\x00", size)  # an empty attribute whose tag takes a byte more than it has to
    keys = b"".join(message(b"\x32", message(b"\x0a", b"%06x" % number)) for number in range(size // 12))
    events = _filled(b"\x5a\x00", size)
    spread = _SPAN + _filled(b"\x4a\x00", 60_000)
    return {
        "empty resources": (empty, False),
        "empty spans": (framed(_filled(b"\x12\x00", size)), False),
        "least spans": (framed(_filled(message(b"\x12", _SPAN), size)), False),
        "empty attributes": (framed(message(b"\x12", _SPAN + _filled(b"\x4a\x00", size))), False),
        "empty attributes, spread": (framed(_filled(message(b"\x12", spread), size)), False),
        "empty attributes, overlong": (framed(message(b"\x12", _SPAN + overlong)), False),
        "empty events": (framed(message(b"\x12", _SPAN + events)), False),
        "empty events behind a group": (framed(message(b"\x12", _SPAN + b"\x0b\x0c" + events)), False),
        "empty values": (framed(message(b"\x12", _SPAN + pair)), False),
        "attributes of a resource": (framed(b"", before=message(b"\x0a", empty)), False),
        "least logs": (framed(_filled(message(b"\x12", _LOG), size)), True),
        "attributes of a log": (framed(message(b"\x12", _LOG + keys)), True),
        "empty values of a log": (framed(message(b"\x12", _LOG + message(b"\x2a", message(b"\x2a", empty)))), True),
    }


def json(size: int) -> Mapping[str, bytes]:
    """Returns bodies of trace requests in JSON, likewise."""

    def spans(inner: bytes) -> bytes:
        return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + inner + b"]}]}]}"

    start = b'{"traceId":"' + b"01" * 16 + b'","spanId":"' + b"02" * 8 + b'","startTimeUnixNano":1'
    objects = b",".join([b"{}"] * (size // 3))
    numbers = b",".join([b"0"] * (size // 2))
    return {
        "empty resources": b'{"resourceSpans":[' + objects + b"]}",
        "empty spans": spans(objects),
        "numbers for spans": spans(numbers),
        "a text that does not end": b'{"resourceSpans":[' + b"," * (size // 3) + b'"' + b'\\"' * (size // 3),
        "empty attributes": spans(start + b',"attributes":[' + objects + b"]}"),
        "empty values": spans(
            start + b',"attributes":[{"key":"k","value":{"arrayValue":{"values":[' + objects + b"]}}}]}"
        ),
    }


def measured(size: int) -> Iterator[dict[str, Any]]:
    """Yields for each body what reading it took, in bytes: as the system saw it, and as whoever reads was told."""
    for name, (body, logs) in protobuf(size).items():
        yield _in_a_child(name, body, decode_logs if logs else receive_traces, PROTOBUF)
    for name, body in json(size).items():
        yield _in_a_child(f"JSON: {name}", body, decode_traces, JSON)


def _in_a_child(name: str, body: bytes, read: Callable[..., Received], media: str) -> dict[str, Any]:
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(into, json_text.dumps({"body": name, "size": len(body), **_read(body, read, media)}).encode())
        finally:
            os._exit(0)
    os.close(into)
    with open(out, "rb") as pipe:  # noqa: PTH123 - no path
        said = pipe.read()
    os.waitpid(child, 0)
    found: dict[str, Any] = json_text.loads(said)
    return found


def _read(body: bytes, read: Callable[..., Received], media: str) -> dict[str, Any]:
    told = [0]
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here (proc(5))
    before = _peak()
    try:
        kept = len(read(body, media, told.append).records)
    except DecodeError:
        kept = 0
    return {"took": _peak() - before, "told": max(told), "records": kept}


def _peak() -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mebibytes", type=float, default=8)
    for row in measured(int(parser.parse_args().mebibytes * 2**20)):
        print(json_text.dumps(row), flush=True)
