"""Which server holds which key: one server, or the primaries of a Redis Cluster by hash slot.

Redis Cluster specification: a key's slot is CRC16 (XMODEM) of what stands in its first braces, modulo 16384.
"""

from __future__ import annotations

from binascii import crc_hqx
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from agentdog.store.address import Address
from agentdog.store.wire import Command

SLOTS = 16384
#: Commands that name no key: any server will do.
_KEYLESS = frozenset({"PING", "INFO", "CONFIG", "SCRIPT", "SCAN", "PUBLISH", "FLUSHALL", "BGREWRITEAOF", "CLUSTER"})


def key_of(command: Command) -> str | bytes | None:
    """Returns the first key that a command names; the others lie in the same slot."""
    name = command[0]
    if name in _KEYLESS:
        return None
    at = {"EVALSHA": 3, "EVAL": 3, "XGROUP": 2, "XINFO": 2, "MEMORY": 2, "OBJECT": 2}.get(str(name), 1)
    if name == "XREADGROUP":
        at = command.index("STREAMS") + 1
    key = command[at]
    return key if isinstance(key, str | bytes) else str(key)


def slot_of(key: str | bytes) -> int:
    """Returns a key's hash slot."""
    raw = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    start = raw.find(b"{")
    if start >= 0:
        end = raw.find(b"}", start + 1)
        if end > start + 1:
            raw = raw[start + 1 : end]
    return crc_hqx(raw, 0) % SLOTS


class Topology:
    """Slots by primary.

    Args:
        ranges: first slot, last slot, primary, by first slot; empty where there is no cluster.
        single: the only server where there is no cluster, else whoever told us.
    """

    def __init__(self, single: Address, ranges: Sequence[tuple[int, int, Address]] = ()) -> None:
        self._single = single
        self._ranges = sorted(ranges, key=lambda each: each[0])
        self._firsts = [first for first, _, _ in self._ranges]
        self.clustered = bool(ranges)
        self.primaries = tuple(dict.fromkeys(primary for _, _, primary in self._ranges)) or (single,)

    @staticmethod
    def read(told_by: Address, answer: Any) -> Topology:  # noqa: ANN401 - an answer to CLUSTER SLOTS
        """Reads ``CLUSTER SLOTS``; a node that does not know its own address is the one that was asked."""
        ranges = []
        for first, last, primary, *_replicas in answer:
            host = primary[0].decode() if primary[0] else told_by.host
            ranges.append((int(first), int(last), told_by.at(host, int(primary[1]))))
        return Topology(told_by, ranges)

    def place(self, command: Command) -> Address | None:
        """Returns the server of a command's key; ``None`` where nobody serves its slot."""
        if not self.clustered:
            return self._single
        key = key_of(command)
        if key is None:
            return self.primaries[0]
        slot = slot_of(key)
        at = bisect_right(self._firsts, slot) - 1
        return self._ranges[at][2] if at >= 0 and slot <= self._ranges[at][1] else None
