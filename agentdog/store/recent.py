"""What happened lately: some counters once more, by slots of ten seconds that are forgotten after a while.

Invariant: a slot holds what was *written* in it; whoever counts writes about once a second, so that is when it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from agentdog.store import keys
from agentdog.store.link import Command, Link

SLOT_S, KEPT_S = 10, 3600
#: Names of figures that are kept by time as well.
NAMES = frozenset({"received", "verdicts", "step_to_verdict_seconds_bucket"})


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of ten seconds; `start_s` is when they began, in seconds since the epoch."""

    start_s: int
    figures: Mapping[tuple[str, ...], float]


class Recent:
    """Writes and reads slots; all lie in one partition, and few are written at a time."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(self, figures: Mapping[tuple[str, ...], float], now_s: float) -> None:
        """Adds to the slot of now."""
        name = keys.recent(int(now_s) // SLOT_S)
        commands: list[Command] = [
            ("HINCRBYFLOAT", name, msgspec.json.encode(figure), repr(float(value)))
            for figure, value in figures.items()
            if value and figure[0] in NAMES
        ]
        if commands:
            await self._link.many([*commands, ("EXPIRE", name, KEPT_S)])

    async def read(self, now_s: float, seconds: int) -> Sequence[Slot]:
        """Returns the slots of the last seconds, oldest first; the one that goes on is the last."""
        last = int(now_s) // SLOT_S
        numbers = range(last - seconds // SLOT_S, last + 1)
        answers = await self._link.many([("HGETALL", keys.recent(number)) for number in numbers])
        return tuple(
            Slot(
                start_s=number * SLOT_S,
                figures={
                    msgspec.json.decode(name, type=tuple[str, ...]): float(value)
                    for name, value in zip(flat[::2], flat[1::2], strict=True)
                },
            )
            for number, flat in zip(numbers, answers, strict=True)
        )
