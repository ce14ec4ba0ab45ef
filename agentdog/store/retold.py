"""A trajectory as bytes: what it adds to the records that it was woven from, since those hold nearly all of its text.

Forms, told by the first byte: ``{`` and ``(`` stand alone (`codec`); ``T`` is a difference: two bytes of length, the
records it refers to, the frame. What is told apart is MessagePack, whose texts stand unescaped, and the records are
taken without their escapes as well.

Invariant: what is read is what was written. What a record says never changes, so a difference stays readable as long as
its records are there; with the records of a trajectory its text is gone too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from agentdog.store.codec import pack, unpack
from agentdog.store.deltas import difference, restored
from agentdog.trajectory import Trajectory

_TOLD = b"T"
_HEADER = 2  # bytes of its length
_MOST = 4  # records that one refers to
_REACH = 8  # bytes to be read for one byte of the trajectory, at most
_ALWAYS = 1 << 16
_SURELY = 8  # times smaller than its text, a difference need not be held against the other form
_UNICODE = re.compile(rb"\\u([0-9a-fA-F]{4})")
_ESCAPES = ((b'\\"', b'"'), (b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\r"), (b"\\/", b"/"))


class Source(msgspec.Struct, frozen=True, array_like=True):
    """Where a record lies: its unit, its field in the unit's hash."""

    unit: str
    field: bytes


def plain(trajectory: Trajectory) -> bytes | None:
    """Returns what is told apart; None where MessagePack has no word for it (integers beyond 64 bits)."""
    try:
        raw = msgspec.msgpack.encode(trajectory)
        return raw if msgspec.msgpack.decode(raw, type=Trajectory) == trajectory else None
    except (OverflowError, UnicodeError, msgspec.MsgspecError):
        return None


def retell(trajectory: Trajectory, records: Sequence[tuple[Source, bytes]]) -> bytes:
    """Writes a trajectory.

    Args:
        trajectory: what to write.
        records: what it may refer to, the best first; how far they are used is decided here.
    """
    raw = plain(trajectory)
    known = _within_reach(records, len(raw)) if raw is not None else []
    if raw is None or not known:
        return pack(trajectory)
    header = msgspec.msgpack.encode([source for source, _ in known])
    told = _TOLD + len(header).to_bytes(_HEADER, "big") + header + difference(raw, _texts([raw for _, raw in known]))
    return told if len(told) * _SURELY < len(raw) else min(told, pack(trajectory), key=len)


def sources_of(blob: bytes) -> list[Source]:
    """Returns the records that are needed to read a trajectory."""
    if blob[:1] != _TOLD:
        return []
    return msgspec.msgpack.decode(blob[1 + _HEADER : _start(blob)], type=list[Source])


def read(blob: bytes, records: Sequence[bytes]) -> Trajectory:
    """Reads a trajectory; `records` are the bytes of `sources_of`, in order."""
    if blob[:1] != _TOLD:
        return unpack(blob, Trajectory)
    return msgspec.msgpack.decode(restored(blob[_start(blob) :], _texts(records)), type=Trajectory)


def _start(blob: bytes) -> int:
    return 1 + _HEADER + int.from_bytes(blob[1 : 1 + _HEADER], "big")


def _within_reach(records: Sequence[tuple[Source, bytes]], size: int) -> list[tuple[Source, bytes]]:
    out: list[tuple[Source, bytes]] = []
    left = _ALWAYS + _REACH * size
    for source, raw in records[:_MOST]:
        left -= len(raw)
        if left >= 0:
            out.append((source, raw))
    return out


def _texts(records: Sequence[bytes]) -> bytes:
    """Joins records, the best one last and thus nearest, without what JSON in JSON in JSON does to texts."""
    joined = b"".join(reversed(records))
    while b"\\\\" in joined:
        joined = joined.replace(b"\\\\", b"\\")
    for escaped, text in _ESCAPES:
        joined = joined.replace(escaped, text)
    return _UNICODE.sub(_character, joined) if b"\\u" in joined else joined


def _character(match: re.Match[bytes]) -> bytes:
    return chr(int(match[1], 16)).encode("utf-8", "surrogatepass")
