"""A clock that stands still until the test moves it."""

from __future__ import annotations


class HandClock:
    """Moved by hand; `ns` are nanoseconds since the epoch."""

    def __init__(self, ns: int = 1_700_000_000_000_000_000) -> None:
        self.ns = ns

    def now_ns(self) -> int:
        return self.ns

    def later(self, seconds: float = 0.0, *, days: float = 0.0) -> None:
        self.ns += int((seconds + days * 86_400) * 1_000_000_000)
