"""Keeps a request of which a few spans or records cannot be read: those are taken out, with their place and reason.

A single text that is not UTF-8 makes protobuf refuse the whole request, its hundreds of good neighbours included. Here
the request is taken apart on the wire (protobuf encoding: a field's number and type, then its length and bytes) down to
the spans, each of which is tried alone. Called only after the whole was refused; a request whose frame itself is broken
stays refused, and so does one of more fields than anybody sends, since a field costs two bytes to send and a
microsecond to look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]

from agentdog.spans.otlp_build import note
from agentdog.spans.records import Rejection

#: resource_spans (or resource_logs), scope_spans (or scope_logs), spans (or log_records): the field numbers agree.
_PATH = (1, 2, 2)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
#: Fields of the frame that are looked at in one request: spans, and what stands beside them.
_MOST_FIELDS = 100_000
#: Fields of a broken span among which its ids are looked for; every SDK writes them first.
_FIRST = 64
_REASON = "not readable as protobuf: a text that is not UTF-8, a field of a wrong type, or values nested too deep"


def without_broken(body: bytes, leaf: Any) -> tuple[bytes, tuple[Rejection, ...]]:  # noqa: ANN401 - a protobuf class
    """Returns the request without the messages of class `leaf` that do not parse, and what was taken out.

    Raises:
        ProtobufError: the frame around them cannot be followed.
    """
    salvage = _Salvage(leaf)
    return salvage.cleaned(memoryview(body), _PATH), tuple(salvage.refused)


class _Salvage:
    """One request being taken apart."""

    def __init__(self, leaf: Any) -> None:  # noqa: ANN401
        self.refused: list[Rejection] = []
        self._leaf = leaf
        self._left = _MOST_FIELDS

    def cleaned(self, message: memoryview, path: Sequence[int]) -> bytes:
        if not path:
            return self._tried(message)
        out = bytearray()
        for number, kind, whole, content in _fields(message):
            self._left -= 1
            if self._left < 0:
                raise ProtobufError(f"over {_MOST_FIELDS} fields, too many to look for those that can be read")
            if number != path[0] or kind != _BYTES:
                out += whole
                continue
            count = len(self.refused)
            inner = self.cleaned(content, path[1:])
            if len(path) > 1 or len(self.refused) == count:
                out += _varint(number << 3 | _BYTES) + _varint(len(inner)) + inner
        return bytes(out)

    def _tried(self, message: memoryview) -> bytes:
        try:
            self._leaf.FromString(bytes(message))
        except ProtobufError:
            note(self.refused, Rejection(id=_id(message, self._leaf), reason=_REASON))
            return b""
        return bytes(message)


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview, memoryview]]:
    """Yields number, wire type, the whole field, and its content."""
    at, end = 0, len(message)
    while at < end:
        start = at
        tag, at = _read_varint(message, at)
        if tag < 8:
            raise ProtobufError("no field has the number 0")
        kind = tag & 7
        if kind == _VARINT:
            _, stop = _read_varint(message, at)
        elif kind == _BYTES:
            size, at = _read_varint(message, at)
            stop = at + size
        elif kind in _SIZES:
            stop = at + _SIZES[kind]
        else:
            raise ProtobufError(f"wire type {kind} is none of OTLP's")
        if stop > end:
            raise ProtobufError("a field ends after its message")
        yield tag >> 3, kind, message[start:stop], message[at:stop]
        at = stop


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ProtobufError("a number does not end")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _id(message: memoryview, leaf: Any) -> str:  # noqa: ANN401
    """Returns ``traceid:spanid`` as far as they can be seen."""
    numbers = {leaf.DESCRIPTOR.fields_by_name[name].number: name for name in ("trace_id", "span_id")}
    seen = {"trace_id": "", "span_id": ""}
    try:
        for number, kind, _, content in islice(_fields(message), _FIRST):
            if number in numbers and kind == _BYTES:
                seen[numbers[number]] = bytes(content[:32]).hex()
    except ProtobufError:
        pass
    return f"{seen['trace_id']}:{seen['span_id']}"
