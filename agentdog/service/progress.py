"""Health is progress, not a process that lives: whether what waits is being worked on.

A lane is stalled when its oldest entry has waited too long and nobody has finished anything of it for as long. An idle
lane is fine, and so is a long queue that gets shorter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from agentdog.store.contract import Waiting
from agentdog.store.keys import Lane

_NANOS = 1_000_000_000
#: A guard may take its time for one trajectory, and a model for a long answer; weaving and sending take milliseconds.
_PATIENCE: Mapping[Lane, float] = {"weave": 1.0, "judge": 5.0, "send": 5.0, "explain": 20.0}
_WORDS: Mapping[Lane, str] = {"weave": "woven", "judge": "judged", "send": "sent", "explain": "explained"}


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """A lane that does not advance."""

    lane: Lane
    units: int
    waited_s: float

    def __str__(self) -> str:
        """Says it for people."""
        return (
            f"{self.units} wait to be {_WORDS[self.lane]}, the oldest for {self.waited_s:.0f} s, and nothing was"
            " finished meanwhile"
        )


def stalls(
    waiting: Mapping[Lane, Waiting], progress: Mapping[Lane, int], *, now_ns: int, stall_s: float, since_ns: int = 0
) -> list[Stall]:
    """Returns the lanes that do not advance.

    Args:
        waiting: what waits in each lane.
        progress: when something of a lane was finished last (ns).
        now_ns: now.
        stall_s: how long nothing may happen.
        since_ns: when whoever asks began to look: what waited before that may just have been nobody's to do.
    """
    found = []
    for lane, each in waiting.items():
        if each.oldest_ns is None:
            continue
        idle_ns = now_ns - max(each.oldest_ns, progress.get(lane, 0), since_ns)
        if idle_ns > stall_s * _PATIENCE[lane] * _NANOS:
            found.append(Stall(lane=lane, units=each.units, waited_s=(now_ns - each.oldest_ns) / _NANOS))
    return found


class Pulse:
    """When each lane of this process advanced last: it looked for work, or got something done.

    A lane whose work may rightly take as long as it likes (analyses, attributions) is left out.

    Args:
        clock: seconds; of no meaning but their difference.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: dict[Lane, float] = {}

    def advanced(self, lane: Lane) -> None:
        """Notes that a lane advanced."""
        self._at[lane] = self._clock()

    def late(self, stall_s: float) -> tuple[Lane, ...]:
        """Returns the lanes that have not advanced for too long, by the same measure as `stalls`."""
        now = self._clock()
        return tuple(
            lane for lane, at in self._at.items() if lane != "explain" and now - at > stall_s * _PATIENCE[lane]
        )
