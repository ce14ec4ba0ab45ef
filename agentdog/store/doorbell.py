"""Who waits for work is told where some came: a message per queued unit, with the name of its stream.

On a cluster no command can wait on streams of several slots, and asking 64 streams again and again costs all the time.
So whoever queues publishes the stream's name, and whoever waits listens. Invariant: the bell is a hint only. A message
may be lost (publish and subscribe keep nothing), so all streams are looked through now and then whether it rang or not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from typing import Any

from agentdog.base.errors import StoreUnavailable
from agentdog.store.link import Link, ReplyError
from agentdog.store.wire import Wire

_log = logging.getLogger(__name__)

CHANNEL = "ad:bell:"  # and the last part of the stream's name, which is the lane; `scripts` publish to it
_AGAIN_S = 5.0  # pause before listening is tried again after it failed


class Doorbell:
    """Listens for the streams of one lane; nobody is woken by another lane's."""

    def __init__(self, link: Link, streams: Collection[bytes]) -> None:
        self._link = link
        self._streams = frozenset(streams)
        (lane,) = {stream.rpartition(b":")[2].decode() for stream in streams}
        self._channel = CHANNEL + lane
        self._rung = asyncio.Event()
        self._heard: set[bytes] = set()
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()
        self._next_try = 0.0

    @property
    def listening(self) -> bool:
        """Whether we would hear it."""
        return self._wire is not None and self._wire.is_open

    def heard(self) -> set[bytes]:
        """Returns the streams that something came into since the last call."""
        heard, self._heard = self._heard, set()
        self._rung.clear()
        return heard

    async def wait(self, seconds: float) -> bool:
        """Waits for the bell, or for so long; True when we just began to listen, and may have missed something."""
        if await self._listen():
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            pass
        return False

    def close(self) -> None:
        """Stops listening."""
        if self._wire is not None:
            self._wire.close()

    async def _listen(self) -> bool:
        if self.listening or time.monotonic() < self._next_try or self._opening.locked():
            return False
        try:
            async with self._opening:
                self._wire = await self._link.listen(self._channel, self._hear)
        except (StoreUnavailable, ReplyError) as error:
            self._next_try = time.monotonic() + _AGAIN_S
            _log.info("no bell, new work is looked for instead: %s", error)
            return False
        return True

    def _hear(self, message: Any) -> None:  # noqa: ANN401 - (kind, channel, stream)
        if message[0] == b"message" and message[2] in self._streams:
            self._heard.add(message[2])
            self._rung.set()
