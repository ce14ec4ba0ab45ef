"""The feed: what happened, in order, in one capped stream; a cursor is a stream id."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from agentdog.base.errors import UsageError
from agentdog.store import keys
from agentdog.store.contract import FeedEvent, FeedPage
from agentdog.store.link import Command, Link

#: A stream id: two unsigned 64-bit numbers; the second may be left out, so that ``0`` means from the beginning.
_CURSOR = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20}))?")
_LARGEST = (1 << 64) - 1
_START = "0-0"


class Feed:
    """Writes and reads events; keeps about the newest `kept`."""

    def __init__(self, link: Link, kept: int) -> None:
        self._link = link
        self._kept = kept

    def publishing(self, events: Sequence[FeedEvent]) -> list[Command]:
        """Returns what appends events; it answers with their cursors, which the server gives."""
        return [
            ("XADD", keys.FEED, "MAXLEN", "~", self._kept, "*", "event", msgspec.json.encode(event)) for event in events
        ]

    def withdrawing(self, cursor: bytes) -> Command:
        """Returns what takes back an event that a later one makes redundant; cursors stay good."""
        return ("XDEL", keys.FEED, cursor)

    async def publish(self, events: Sequence[FeedEvent]) -> None:
        """Appends events."""
        await self._link.many(self.publishing(events))

    async def read(self, since: str | None, limit: int) -> FeedPage:
        """Returns events after a cursor, oldest first; ``None`` starts at the newest and returns none.

        Raises:
            UsageError: the cursor is none of ours.
        """
        if since is None:
            newest = await self._link.one("XREVRANGE", keys.FEED, "+", "-", "COUNT", 1)
            return FeedPage(cursor=newest[0][0].decode() if newest else _START, events=())
        if not _is_cursor(since):
            remedy = "leave it out to start at the newest event, or give 0 to start at the oldest"
            raise UsageError(f"since: {since[:40]!r} is no cursor; {remedy}")
        entries = await self._link.one("XRANGE", keys.FEED, f"({since}", "+", "COUNT", limit)
        events = tuple(
            msgspec.structs.replace(msgspec.json.decode(fields[1], type=FeedEvent), cursor=entry.decode())
            for entry, fields in entries
        )
        return FeedPage(cursor=events[-1].cursor if events else since, events=events)


def _is_cursor(text: str) -> bool:
    read = _CURSOR.fullmatch(text)
    return read is not None and all(int(part) <= _LARGEST for part in read.groups("0"))
