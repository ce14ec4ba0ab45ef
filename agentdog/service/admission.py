"""Admission: whether telemetry can be taken now, decided before a body is read.

The receiver looks at the store a few times a second: how many units wait to be woven, how much memory is used, how long
one round trip takes. Over a bound it refuses with 503 (UNAVAILABLE over gRPC) and a time to wait, which exporters obey;
what was acknowledged before is never given up for what comes now. Bodies that are being read count against a bound of
their own, with the records that are made of them, so that many large requests at once do not add up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from agentdog.base.errors import Overloaded, StoreUnavailable
from agentdog.service.metrics import Metrics
from agentdog.service.settings import Limits
from agentdog.store.contract import Store
from agentdog.store.server_info import budget

_log = logging.getLogger(__name__)
_EVERY_S = 0.25
#: The memory changes slowly, and asking costs more.
_MEMORY_EVERY_S = 1.0


class Room:
    """What one request holds of the memory for bodies; grows as the body is read, and as its records are."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.held = 0

    def grow(self, size: int) -> None:
        """Says how large the body is by now.

        Raises:
            Overloaded: all bodies together are too large; one alone never is.
        """
        self._admission.take(size - self.held, alone=self.held)
        self.held = size

    def beside(self, body: int) -> Callable[[int], None]:
        """Returns what takes in how large all is that is made of a body of so many bytes."""
        return lambda size: self.grow(body + size)


class Admission:
    """Decides.

    Args:
        store: whose load counts.
        limits: the bounds.
        metrics: where refusals are counted.
    """

    def __init__(self, store: Store, limits: Limits, metrics: Metrics) -> None:
        self._store = store
        self._limits = limits
        self._metrics = metrics
        self._in_flight = 0
        self._reason: tuple[str, str] | None = None
        self._full: str | None = None
        self._asked_at: float | None = None

    def check(self) -> None:
        """Raises `Overloaded` while telemetry cannot be taken; says why."""
        if self._reason is not None:
            self._refuse(*self._reason)
        late = monotonic() - self._asked_at if self._asked_at is not None else 0.0
        if late > self._limits.store_latency_s:
            self._refuse("latency", f"the store has not answered for {late:.1f} s")

    @contextmanager
    def room(self) -> Iterator[Room]:
        """Gives room for one body, for as long as it is worked on."""
        room = Room(self)
        try:
            yield room
        finally:
            self._in_flight -= room.held

    def take(self, more: int, *, alone: int) -> None:
        """Counts bytes of bodies; see `Room.grow`."""
        others = self._in_flight - alone
        if more > 0 and others and self._in_flight + more > self._limits.in_flight_bytes:
            self._refuse("bodies", f"{self._in_flight} bytes of requests are being worked on")
        self._in_flight += more

    def _refuse(self, reason: str, words: str) -> None:
        self._metrics.refused.labels(reason).inc()
        raise Overloaded(f"too much at once: {words}; try again soon")

    async def watch(self) -> None:
        """Looks at the store again and again, until it is cancelled."""
        memory_at = 0.0
        while True:
            try:
                with_memory = monotonic() - memory_at >= _MEMORY_EVERY_S
                self._judge(await self._look(with_memory=with_memory))
                if with_memory:
                    memory_at = monotonic()
            except StoreUnavailable:
                self._reason = None  # every request finds that out by itself, and says so better
            await asyncio.sleep(_EVERY_S)

    async def _look(self, *, with_memory: bool) -> tuple[int, float]:
        """Returns what waits to be woven, and the seconds that one round trip took."""
        self._asked_at = monotonic()
        try:
            waiting = await self._store.depth("weave")
            took = monotonic() - self._asked_at
        finally:
            self._asked_at = None
        if with_memory:
            said = await self._store.ping()
            limit, used = budget(said, self._limits.store_bytes), int(said["used_memory"])
            self._full = f"the store uses {used} of {limit} bytes" if limit and used >= limit else None
        return waiting, took

    def _judge(self, looked: tuple[int, float]) -> None:
        waiting, took = looked
        before, self._reason = self._reason, None
        if self._full is not None:
            self._reason = ("memory", self._full)
        elif waiting >= self._limits.queue_units:
            self._reason = ("queue", f"{waiting} traces and sessions wait to be woven")
        elif took > self._limits.store_latency_s:
            self._reason = ("latency", f"the store took {took:.1f} s for an answer")
        if self._reason is not None and (before is None or before[0] != self._reason[0]):
            _log.warning("telemetry is refused for now: %s", self._reason[1])
        elif self._reason is None and before is not None:
            _log.warning("telemetry is taken again")
