"""Records as they are appended: those of one unit in one request lie together, compressed as one.

Such records repeat one another, so together they take a fraction of their room, which is most of what an append costs
the server. Forms, told by the first byte: ``P`` is one byte of place and the bundle; ``B`` is one byte of place and the
field of the record of the same unit that holds the bundle. A bundle lists origins, and entries: a span as protobuf with
the number of its origin, or a record as JSON. Folding takes it apart (`shelf`).

Invariant: records of a bundle are rewritten all at once or not at all, so whoever refers to a holder finds the bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from agentdog.spans.otlp import opened
from agentdog.spans.records import Arrived, Origin, Sealed
from agentdog.store.codec import encode, inflate, squeeze

_HOLDER, _MEMBER = b"P", b"B"
_HEAD = 2  # form and place
#: Records of one bundle: it is folded by one script call; and about the bytes beyond which another is begun.
MOST, _LARGE = 32, 1 << 18
_JSON = -1


class _Bundle(msgspec.Struct, frozen=True, array_like=True):
    origins: list[Origin]
    entries: list[tuple[int, bytes]]


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Bundle).decode


def bundles(records: Iterable[Arrived], field_of: Callable[[Arrived], bytes]) -> list[tuple[list[bytes], int, bytes]]:
    """Writes records of one unit; of those with one field the first counts.

    Returns:
        Bundles: the fields in order, how many records that were, and the bundle.
    """
    out = []
    fields, count, size, made = list[bytes](), 0, 0, _Making()
    known = set[bytes]()
    for record in records:
        count += 1
        field = field_of(record)
        if field in known:
            continue
        known.add(field)
        fields.append(field)
        size += made.add(record)
        if len(fields) == MOST or size > _LARGE:
            out.append((fields, count, made.bundle()))
            fields, count, size, made = [], 0, 0, _Making()
    if count:
        out.append((fields, count, made.bundle()))
    return out


class _Making:
    def __init__(self) -> None:
        self._origins: list[Origin] = []
        self._entries: list[tuple[int, bytes]] = []

    def add(self, record: Arrived) -> int:
        """Adds a record; returns its bytes."""
        if isinstance(record, Sealed):
            if not self._origins or self._origins[-1] is not record.origin:
                self._origins.append(record.origin)
            self._entries.append((len(self._origins) - 1, record.raw))
        else:
            self._entries.append((_JSON, encode(record)))
        return len(self._entries[-1][1])

    def bundle(self) -> bytes:
        return squeeze(_pack(_Bundle(self._origins, self._entries)))


def holder_of(field: bytes, stored: bytes) -> bytes | None:
    """Returns the field that holds the bundle of a record; None of a record that lies in none."""
    form = stored[:1]
    return field if form == _HOLDER else stored[_HEAD:] if form == _MEMBER else None


def refers_to(stored: bytes) -> bytes | None:
    """Returns the field that a record of a bundle refers to; None of the one that holds it."""
    return stored[_HEAD:] if stored[:1] == _MEMBER else None


def is_bundled(stored: bytes) -> bool:
    """Whether a stored record lies in a bundle."""
    return stored[:1] in (_HOLDER, _MEMBER)


def is_torn(stored: Mapping[bytes, bytes]) -> bool:
    """Whether these values of one hash were read partly before and partly after a bundle was taken apart."""
    return any(value[:1] == _MEMBER and stored[value[_HEAD:]][:1] != _HOLDER for value in stored.values())


def place(stored: bytes) -> int:
    """Returns where in its bundle a record lies."""
    return stored[1]


def records_in(holder: bytes) -> Sequence[bytes]:
    """Returns the records of a bundle as JSON, given the stored form of its holder."""
    bundle = _unpack(inflate(holder[_HEAD:]))
    return [_json(bundle, origin, entry) for origin, entry in bundle.entries]


def _json(bundle: _Bundle, origin: int, entry: bytes) -> bytes:
    if origin == _JSON:
        return entry
    # Ids are in the protobuf; those of the sealed span are only for who does not open it.
    return encode(opened(Sealed(trace_id="", span_id="", origin=bundle.origins[origin], raw=entry)))
