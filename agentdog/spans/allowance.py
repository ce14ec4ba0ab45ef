"""What one request may cost in memory: counted while it is read, refused before it is too much.

Two bytes of OTLP make an empty span, attribute or value, and each of those takes a hundred bytes of memory and more. So
the size of a body says little about what reading it takes. Invariant: what is made of a request of n bytes takes no
more than about `FREE` + `FACTOR` · n bytes at any moment, and whoever watches over memory is told as it grows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from agentdog.base.errors import DecodeError
from agentdog.spans.records import Arrived, Log, Sealed, Span

#: Told how many bytes a request takes by now; may raise `Overloaded`.
Grow = Callable[[int], object]

#: What any request may take, and how many times its size it may take beyond that. Attributes of a few characters take
#: four times their size; requests beyond are refused, and nobody sends such who has something to say.
FREE, FACTOR = 128 << 20, 4
#: About what a record takes beside what it holds, and a number, flag or nothing in a list or mapping.
RECORD, SCALAR = 400, 32
_TOLD_EVERY = 1 << 20


def unwatched(size: int) -> None:
    """Lets a request grow."""


class Allowance:
    """What is left for one request.

    Args:
        size: bytes of its body, inflated.
        grow: told of every mebibyte that is taken.
    """

    def __init__(self, size: int, grow: Grow = unwatched) -> None:
        self.taken = 0
        self._size = size
        self._most = FREE + FACTOR * size
        self._grow = grow
        self._told = 0

    def take(self, size: int) -> None:
        """Counts bytes that are about to be taken.

        Raises:
            DecodeError: more than a request of this size may take.
            Overloaded: all requests together take too much just now.
        """
        self.taken += size
        if self.taken - self._told >= _TOLD_EVERY:
            if self.taken > self._most:
                raise DecodeError(
                    f"a request of {self._size} bytes holds more spans, records, attributes and values than are read of"
                    f" one ({self._most >> 20} MiB of memory): send smaller batches"
                )
            self._told = self.taken
            self._grow(self.taken)


def weight(record: Arrived) -> int:
    """Returns about how many bytes a record takes, what it shares with others of its request left out."""
    if isinstance(record, Sealed):
        return RECORD + len(record.raw)
    total = RECORD + weight_of(record.attributes)
    if isinstance(record, Span):
        for event in record.events:
            total += RECORD + len(event.name) + weight_of(event.attributes)
        return total + sum(map(sys.getsizeof, record.links)) + sys.getsizeof(record.name)
    return total + _more(record)


def _more(record: Log) -> int:
    return weight_of(record.body) + sys.getsizeof(record.name)


def weight_of(value: Any) -> int:  # noqa: ANN401 - any JSON value
    """Returns about how many bytes a value takes with all that is in it."""
    if isinstance(value, str):
        return sys.getsizeof(value)
    if isinstance(value, Mapping):
        total = sys.getsizeof(value)
        for key, each in value.items():
            total += sys.getsizeof(key) + (sys.getsizeof(each) if isinstance(each, str) else weight_of(each))
        return total
    if isinstance(value, list | tuple):
        return sys.getsizeof(value) + sum(map(weight_of, value))
    return SCALAR
