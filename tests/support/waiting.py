"""Waits for something that another process does, and says what did not happen."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 180.0  # test machines are busy: long enough that only what hangs takes longer


def until(holds: Callable[[], bool], what: str = "it did not happen in time", seconds: float = PATIENCE_S) -> None:
    """Returns once it holds; fails with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)  # between two looks at the other process
