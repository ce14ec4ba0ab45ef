"""Time: nanoseconds since the epoch inside, RFC 3339 UTC with nine digits at the edges."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

_NANOS = 1_000_000_000


class Clock(Protocol):
    """A source of wall time in nanoseconds since the Unix epoch."""

    def now_ns(self) -> int:
        """Returns the wall time in nanoseconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Returns the wall time in nanoseconds."""
        return time.time_ns()


def rfc3339(nanos: int) -> str:
    """Formats nanoseconds since the epoch as RFC 3339 UTC with nine fractional digits.

    ``1_700_000_000_000_000_001`` becomes ``2023-11-14T22:13:20.000000001Z``: fixed width, so text order is time order.
    """
    seconds, rest = divmod(nanos, _NANOS)
    return f"{_written(seconds)}.{rest:09d}Z"


def parse_rfc3339(text: str) -> int:
    """Reads an RFC 3339 time back into nanoseconds since the epoch; raises `ValueError` when it is none."""
    head, _, fraction = text.removesuffix("Z").partition(".")
    return _read(head) * _NANOS + (int(fraction[:9].ljust(9, "0")) if fraction else 0)


# Every step of a run that grows is written and read again; most of its seconds were just seen.
@lru_cache(maxsize=4096)
def _written(seconds: int) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)  # `%Y` writes early years with fewer digits
    return moment.isoformat(timespec="seconds")


@lru_cache(maxsize=4096)
def _read(head: str) -> int:
    moment = datetime.fromisoformat(head)
    return int((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp())
