"""Copies of what a session knows, so that a pending call is shown to the copy and the session keeps its place.

Invariant: whatever is shown to a copy, the original does not see, and the other way round. It holds because growing
objects keep what they know in containers of values that are never changed in place: the containers are copied, the
values shared.
"""

from __future__ import annotations

import copy
from collections import deque
from typing import Protocol, TypeVar, runtime_checkable


@runtime_checkable
class Forked(Protocol):
    """A part that is copied in the same way."""

    def fork(self) -> object:
        """Returns the copy."""
        ...


T = TypeVar("T")


def forked(original: T) -> T:
    """Returns a copy of a growing object: its containers copied, its growing parts forked, the rest shared."""
    twin = copy.copy(original)
    for name, value in vars(twin).items():
        if isinstance(value, (dict, set, list, deque)):
            setattr(twin, name, value.copy())
        elif isinstance(value, Forked):
            setattr(twin, name, value.fork())
    return twin
