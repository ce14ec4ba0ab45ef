"""Request bodies within bounds: read and inflated piece by piece, so a small lie about size costs no memory.

OTLP 1.11 (docs/specification.md): none and gzip must be accepted, and the size limit holds after inflating as well.
Deflate is read too, since official exporters can be told to send it (``OTEL_EXPORTER_OTLP_COMPRESSION=deflate``).
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable

from agentdog.base.errors import DecodeError, UsageError

#: Content encoding → zlib's window bits. ``deflate`` is the zlib format (RFC 9110 8.4.1.2).
_WBITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_PIECE = 1 << 20
#: Above so many bytes a body that inflated to more than so many times its size is taken for a bomb until it is counted.
_TRUSTED, _DENSE = 8 << 20, 50


class TooLarge(UsageError):  # noqa: N818 - a state of the request, like its siblings in the tree
    """The body is larger than the limit, as sent or inflated."""


class UnsupportedEncoding(UsageError):  # noqa: N818
    """The body's content encoding is none that we read."""


def _unwatched(size: int) -> None:
    """Lets a body grow."""


async def read(
    chunks: AsyncIterator[bytes], encoding: str, limit: int, grow: Callable[[int], None] = _unwatched
) -> bytes:
    """Collects a body.

    Args:
        chunks: as they come from the wire.
        encoding: the ``Content-Encoding`` header; empty for none.
        limit: bytes, on the wire and after inflating.
        grow: told how large the body is by now; may raise `Overloaded`.

    Raises:
        TooLarge: more than `limit`, found as soon as it is so.
        UnsupportedEncoding: none of those.
        DecodeError: not the compressed stream that it claims to be.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return await _plain(chunks, limit, grow)
    if name in _WBITS:
        return await _inflated(chunks, name, limit, grow)
    raise UnsupportedEncoding(f"Content-Encoding {encoding[:40]!r} is not read here: send gzip, deflate or none")


async def _plain(chunks: AsyncIterator[bytes], limit: int, grow: Callable[[int], None]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
        grow(len(body))
    return bytes(body)


async def _inflated(chunks: AsyncIterator[bytes], name: str, limit: int, grow: Callable[[int], None]) -> bytes:
    """Inflates; what is suspiciously small for its content is counted first, and kept only once its size is known."""
    body, wire = bytearray(), 0
    stream = _Stream(name)
    trial: _Stream | None = None
    counted, held = 0, list[bytes]()
    async for chunk in chunks:
        wire += len(chunk)
        if wire > limit:
            raise too_large(limit)
        pending = chunk
        if trial is not None:
            held.append(chunk)
        while pending:
            piece, pending = (trial or stream).inflate(pending)
            if trial is None:
                body += piece
            else:
                counted += len(piece)
            if len(body) + counted > limit:
                raise too_large(limit, " inflated")
            grow(len(body))
            if trial is None and pending and len(body) > max(_TRUSTED, _DENSE * wire):
                trial, held = stream.copy(), [pending]
    if wire and not (trial or stream).ended:
        raise DecodeError(f"the body's {name} stream ends too soon")
    for chunk in held:
        pending = chunk
        while pending:
            piece, pending = stream.inflate(pending)
            body += piece
            grow(len(body))
    return bytes(body)


class _Stream:
    """Inflates piece by piece; members of a gzip stream may follow one another (RFC 1952 2.2)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inflater = zlib.decompressobj(_WBITS[name])

    @property
    def ended(self) -> bool:
        return self._inflater.eof

    def copy(self) -> _Stream:
        other = _Stream(self._name)
        other._inflater = self._inflater.copy()
        return other

    def inflate(self, pending: bytes) -> tuple[bytes, bytes]:
        """Returns a piece of the content, and what is still to be inflated."""
        if self._inflater.eof:
            self._inflater = zlib.decompressobj(_WBITS[self._name])
        try:
            piece = self._inflater.decompress(pending, _PIECE)
        except zlib.error as error:
            name = self._name
            raise DecodeError(f"the body is not the {name} stream that Content-Encoding claims: {error}") from error
        return piece, self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail


def too_large(limit: int, how: str = "") -> TooLarge:
    """Says so, with the remedy."""
    remedy = "send smaller batches, or raise AGENTDOG_LIMITS__BODY_BYTES"
    return TooLarge(f"the body{how} is larger than {limit} bytes: {remedy}")
