"""Bodies within bounds, inflated in little memory."""

from __future__ import annotations

import asyncio
import gzip
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest

from agentdog.base.errors import DecodeError
from agentdog.service import bodies
from agentdog.service.bodies import TooLarge

MEBI = 1 << 20


def read(body: bytes, encoding: str, limit: int, size: int = 65536) -> bytes:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    return asyncio.run(bodies.read(pieces(), encoding, limit))


def test_a_bomb_of_a_thousand_to_one_is_refused_at_the_default_limit_in_20_mebibytes() -> None:
    bomb = gzip.compress(bytes(65 * MEBI))
    assert len(bomb) * 1000 < 70 * MEBI
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="inflated"):
            read(bomb, "gzip", 64 * MEBI)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * MEBI


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
@pytest.mark.parametrize("size", [1000, 65536])
def test_what_is_dense_and_within_the_limit_is_read_whole(encoding: str, pack: object, size: int) -> None:
    content = bytes(12 * MEBI) + random.Random(1).randbytes(5000) + b"ab" * (3 * MEBI)
    packed: bytes = pack(content)  # type: ignore[operator]
    assert read(packed, encoding, 64 * MEBI, size) == content
    with pytest.raises(TooLarge):
        read(packed, encoding, len(content) - 1, size)
    with pytest.raises(DecodeError):
        read(packed[:-20], encoding, 64 * MEBI, size)


def test_members_that_follow_one_another_are_one_body() -> None:
    assert read(gzip.compress(b"a" * 10) + gzip.compress(b"b" * 10), "gzip", MEBI, 7) == b"a" * 10 + b"b" * 10
