"""Records by what they lack: a stored record may be written as its difference from a larger one of the same unit.

Model calls repeat the whole history, so nearly all of a span stands in the next one as well. The newest lies as it was
appended (*loose*: JSON, compressed by itself); earlier ones are (name of a larger record, difference), so that a
history lies in the journal once, however often it was sent and in whichever convention, flattened or as a blob. The
difference is zstd with the other record as its dictionary (RFC 8878, raw content), hence without loss for any bytes.

Forms, told by the first byte: ``{`` and ``(`` (zstd) are loose, and so is what lies in a bundle (`bundles`); ``E`` is a
difference: one byte of length, the field of the record it refers to, the frame. Another first byte is another
version's.

Invariant: a difference refers to a record that is greater by (length, field) and what a record says never changes, so
chains end in a loose record, whoever folds.
"""

from __future__ import annotations

import msgspec
import zstandard

from agentdog.base.errors import OutsideError
from agentdog.store import bundles

_LOOSE, _DIFFERENCE = b"{(", b"E"
_LEVEL = 9  # lower levels lose sight of the history in spans of megabytes, higher ones gain nothing
_NEAR, _NEAR_LEVEL = 1 << 17, 6  # up to so many bytes a lower one sees all of it, in half the time
_WINDOW_LOG = (10, 27)  # what every decoder takes (RFC 8878, 3.1.1.1.2)
_FORMAT = zstandard.FORMAT_ZSTD1_MAGICLESS


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What others may refer to: its field in the unit's hash, and its bytes."""

    field: bytes
    raw: bytes


def is_loose(stored: bytes) -> bool:
    """Whether a record lies as it was appended."""
    return stored[:1] in _LOOSE or bundles.is_bundled(stored)


def refers_to(stored: bytes) -> bytes | None:
    """Returns the field that is to be read first: of a difference its base, of a bundle its holder; None of the rest.

    Raises:
        OutsideError: another version has written this.
    """
    if is_loose(stored):
        return bundles.refers_to(stored)
    if stored[:1] != _DIFFERENCE:
        raise OutsideError(f"a record of form {stored[:1]!r} lies in the store: read it with the version that wrote it")
    return stored[2 : 2 + stored[1]]


def fold(raw: bytes, base: Base) -> bytes:
    """Writes a record as what it adds to another."""
    return _DIFFERENCE + bytes([len(base.field)]) + base.field + difference(raw, base.raw)


def unfold(stored: bytes, base: bytes) -> bytes:
    """Returns the bytes that `fold` was given; `base` are those of the record that `refers_to` names."""
    return restored(stored[2 + stored[1] :], base)


def difference(raw: bytes, base: bytes) -> bytes:
    """Returns a frame that says what some bytes add to others."""
    low, high = _WINDOW_LOG
    both = len(raw) + len(base)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _NEAR_LEVEL if both < _NEAR else _LEVEL,
        source_size=len(raw),
        dict_size=len(base),
        window_log=max(low, min(high, both.bit_length())),
        format=_FORMAT,
        write_checksum=False,
    )
    return zstandard.ZstdCompressor(dict_data=_dictionary(base), compression_params=parameters).compress(raw)


def restored(frame: bytes, base: bytes) -> bytes:
    """Returns the bytes of which `difference` made a frame."""
    return zstandard.ZstdDecompressor(dict_data=_dictionary(base), format=_FORMAT).decompress(frame)


def _dictionary(raw: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(raw, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
