"""Waits for something that another process does, and says what did not happen."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], what: str = "it did not happen in time", seconds: float = 120.0) -> None:
    """Returns once it holds; fails with `what` after so many seconds, which are many, since test machines are busy."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)  # between two looks at the other process
