"""Counters that outlive every process, what guards were paid, and what was decided about a project's alerts.

Invariant: figures only grow; what a minute cost is forgotten after an hour.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agentdog.diagnosis import Calibration, Tuning
from agentdog.store import keys
from agentdog.store.link import Command, Link

_REMEMBERED_S = 3600


class Figures:
    """Reads and writes them; all lie in one partition, and few are written at a time."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(self, figures: Mapping[tuple[str, ...], float]) -> None:
        """Adds to counters."""
        commands: list[Command] = [
            ("HINCRBYFLOAT", keys.FIGURES, msgspec.json.encode(name), repr(float(value)))
            for name, value in figures.items()
            if value
        ]
        await self._link.many(commands)

    async def read(self) -> Mapping[tuple[str, ...], float]:
        """Returns all counters."""
        flat = await self._link.one("HGETALL", keys.FIGURES)
        return {
            msgspec.json.decode(name, type=tuple[str, ...]): float(value)
            for name, value in zip(flat[::2], flat[1::2], strict=True)
        }

    async def spend(self, project: str, minute: int, tokens: int) -> None:
        """Counts tokens of a minute since the epoch."""
        name = keys.spent(minute)
        await self._link.many([("HINCRBY", name, project, tokens), ("EXPIRE", name, _REMEMBERED_S)])

    async def spent(self, minute: int) -> Mapping[str, int]:
        """Returns the tokens of a minute by project."""
        flat = await self._link.one("HGETALL", keys.spent(minute))
        return {name.decode(): int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}

    async def tuning(self, project: str) -> Tuning | None:
        """Returns what was decided about a project's alerts."""
        raw = await self._link.one("HGET", keys.TUNINGS, project)
        return msgspec.json.decode(raw, type=Tuning) if raw else None

    async def save_tuning(self, project: str, tuning: Tuning) -> None:
        """Decides about a project's alerts."""
        await self._link.one("HSET", keys.TUNINGS, project, msgspec.json.encode(tuning))

    async def calibrations(self) -> Mapping[str, Calibration]:
        """Returns every guard's threshold that was fitted here, by fingerprint."""
        flat = await self._link.one("HGETALL", keys.CALIBRATIONS)
        read = (msgspec.json.decode(raw, type=Calibration) for raw in flat[1::2])
        return {calibration.guard: calibration for calibration in read}

    async def save_calibration(self, calibration: Calibration) -> None:
        """Keeps a guard's threshold."""
        await self._link.one("HSET", keys.CALIBRATIONS, calibration.guard, msgspec.json.encode(calibration))
