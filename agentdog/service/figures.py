"""Figures of a worker: gathered here, written to the store about once a second, read by whoever answers ``/metrics``.

Invariant: what was counted is written once; what could not be written is kept for the next time, in bounded space,
since names and labels come from closed lists and projects.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections import defaultdict

from agentdog.base.errors import StoreUnavailable
from agentdog.store.contract import Store

_log = logging.getLogger(__name__)
_EVERY_S = 1.0

#: Upper bounds of the buckets of every histogram, in seconds; the last one is open.
BOUNDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
OPEN = "+Inf"


class Figures:
    """Counters and histograms of one process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unwritten: dict[tuple[str, ...], float] = defaultdict(float)

    def count(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Adds to a counter."""
        self._unwritten[name, *labels] += by

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Adds to a histogram; times before zero (clocks that differ) count as zero."""
        seconds = max(seconds, 0.0)
        place = bisect_left(BOUNDS, seconds)
        self._unwritten[f"{name}_bucket", *labels, str(BOUNDS[place]) if place < len(BOUNDS) else OPEN] += 1
        self._unwritten[f"{name}_sum", *labels] += seconds

    async def flush(self) -> None:
        """Writes what was gathered; keeps it where the store is away."""
        unwritten, self._unwritten = self._unwritten, defaultdict(float)
        if not unwritten:
            return
        try:
            await self._store.add_figures(unwritten)
        except StoreUnavailable as error:
            _log.warning("figures not written: %s", error)
            for name, value in unwritten.items():
                self._unwritten[name] += value

    async def run(self) -> None:
        """Writes again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.flush()
