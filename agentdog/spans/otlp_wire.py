"""Takes an OTLP protobuf request apart on the wire, down to its spans or records, each of which is then read alone.

Read at once, a request costs up to ninety times its bytes, since two bytes make an empty span; and a single text that
is not UTF-8 makes protobuf refuse it whole, its hundreds of good neighbours included. So only the frame is followed
here (protobuf encoding: a field's number and type, then its length and bytes), every field of which is counted before
it is kept, and what is densely packed is looked through before protobuf reads it.

Wire layout: opentelemetry-proto 1.x, `collector/*/v1`, `trace/v1`, `logs/v1`, `common/v1`, `resource/v1`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]

from agentdog.spans.allowance import RECORD, Allowance

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_FIRST, _SECOND = 1 << 3 | _BYTES, 2 << 3 | _BYTES
_LONG = 0x80  # a varint goes on
#: Messages up to so many bytes are read whatever they hold: that takes a few mebibytes at most, and not for long.
_SMALL = 1 << 16
#: So many messages may lie in a larger one before it is looked through.
_FEW = 50_000
#: Fields of a broken span among which its ids are looked for; every SDK writes them first.
_IDS_AMONG = 64

#: Which fields of a message are messages: name → tag → name.
_INNER: dict[str, dict[int, str]] = {
    "span": {0x4A: "pair", 0x5A: "event", 0x6A: "link", 0x7A: "leaf"},
    "event": {0x1A: "pair"},
    "link": {0x22: "pair"},
    "log": {0x2A: "value", 0x32: "pair"},
    "resource": {0x0A: "pair", 0x1A: "leaf"},
    "scope": {0x1A: "pair"},
    "pair": {0x12: "value"},
    "value": {0x2A: "list", 0x32: "pairs"},
    "list": {0x0A: "value"},
    "pairs": {0x0A: "pair"},
    "leaf": {},
}
_TAGS = sorted({tag for tags in _INNER.values() for tag in tags})
#: With one of these any message within a message begins, in however many bytes its tag is written.
_MARKS = bytes([*_TAGS, *(tag | _LONG for tag in _TAGS)])


class Scoped(NamedTuple):
    """The scope of some spans or log records, and those, as bytes."""

    scope: bytes
    leaves: list[bytes]


class Group(NamedTuple):
    """A resource as bytes, and what it emitted."""

    resource: bytes
    scoped: list[Scoped]


def groups(body: bytes, allowance: Allowance) -> Iterator[Group]:
    """Follows the frame of an ``Export…ServiceRequest``; `resource_spans` and `resource_logs` agree in their numbers.

    Raises:
        ProtobufError: it cannot be followed.
        DecodeError: it holds too much.
    """
    for at, end in _parts(body, 0, len(body), allowance)[0]:
        resource, inner = _parts(body, at, end, allowance)
        scoped = []
        for here, stop in inner:
            scope, leaves = _parts(body, here, stop, allowance)
            scoped.append(Scoped(_joined(body, scope), [body[a:b] for a, b in leaves]))
        yield Group(_joined(body, resource), scoped)


def _joined(body: bytes, places: list[tuple[int, int]]) -> bytes:
    """Returns a message that may have come in parts: they count as one (protobuf encoding, "last one wins")."""
    if len(places) == 1:
        return body[places[0][0] : places[0][1]]
    return b"".join([body[at:end] for at, end in places])


_Places = list[tuple[int, int]]


def _parts(body: bytes, at: int, end: int, allowance: Allowance) -> tuple[_Places, _Places]:
    """Returns where the messages in the fields 1 and 2 of a message lie."""
    first: _Places = []
    second: _Places = []
    while at < end:
        allowance.take(RECORD)
        tag, at, stop = _field(body, at, end)
        if tag == _FIRST:
            first.append((at, stop))
        elif tag == _SECOND:
            second.append((at, stop))
        at = stop
    return first, second


def _field(body: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Returns a field's tag and where its content begins and ends."""
    tag = body[at]
    at += 1
    if tag & _LONG:
        tag, at = _varint(body, at - 1, end)
    kind = tag & 7
    if tag < 8:
        raise ProtobufError("no field has the number 0")
    if kind == _BYTES:
        size = body[at] if at < end else _LONG
        at += 1
        if size & _LONG:
            size, at = _varint(body, at - 1, end)
        stop = at + size
    elif kind == _VARINT:
        _, stop = _varint(body, at, end)
    elif kind in _SIZES:
        stop = at + _SIZES[kind]
    else:
        raise ProtobufError(f"wire type {kind} is none of OTLP's")
    if stop > end:
        raise ProtobufError("a field ends after its message")
    return tag, at, stop


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _LONG:
            return value, at
    raise ProtobufError("a number does not end")


def look_through(message: bytes, sort: str, allowance: Allowance) -> None:
    """Counts what lies in a message where that may be so much that reading it takes many times its bytes.

    Args:
        message: a span, log record, resource or scope, as bytes.
        sort: which of them: a name of `_INNER`.
        allowance: of the request; each field that is looked at counts as much as a record, since that is what the time
            for it is worth.

    Raises:
        DecodeError: it holds too much.
        ProtobufError: it cannot be followed, though protobuf may read on: what is not counted is not read.
    """
    if len(message) <= _SMALL or len(message) - len(message.translate(None, _MARKS)) <= _FEW:
        return
    waiting = [(sort, 0, len(message))]
    while waiting:
        name, at, end = waiting.pop()
        inner = _INNER[name]
        while at < end:
            allowance.take(RECORD)
            tag, at, stop = _field(message, at, end)
            if tag in inner and stop > at:
                waiting.append((inner[tag], at, stop))
            at = stop


def id_of(message: bytes, leaf: Any) -> str:  # noqa: ANN401 - a protobuf class
    """Returns ``traceid:spanid`` of a span or log record that cannot be read, as far as they can be seen."""
    names = ("trace_id", "span_id")
    numbers = {leaf.DESCRIPTOR.fields_by_name[name].number << 3 | _BYTES: name for name in names}
    seen = dict.fromkeys(names, "")
    try:
        for tag, at, stop in islice(_fields(message), _IDS_AMONG):
            if tag in numbers:
                seen[numbers[tag]] = message[at : min(stop, at + 32)].hex()
    except ProtobufError:
        pass
    return f"{seen['trace_id']}:{seen['span_id']}"


def _fields(message: bytes) -> Iterator[tuple[int, int, int]]:
    at = 0
    while at < len(message):
        tag, at, stop = _field(message, at, len(message))
        yield tag, at, stop
        at = stop
