"""A memory for pure functions of texts that a stranger may choose: bounded in number, and in what each may hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def remembered(entries: int, *, longest: int) -> Callable[[F], F]:
    """Remembers the last answers of a function, but none to a text or bytes longer than `longest`.

    `functools.lru_cache` bounds how many arguments it keeps, not how large: a name of a megabyte, of which somebody
    sends thousands, would stay for as long as the process lives. To look at the arguments before asking it costs
    several times what it saves; so here they are looked at only when there is something new to keep, and what came
    first goes first. Arguments are given by position.
    """

    def decorate(function: F) -> F:
        known: dict[tuple[object, ...], object] = {}

        @wraps(function)
        def answer(*arguments: object) -> object:
            try:
                return known[arguments]
            except KeyError:
                found = function(*arguments)
            if not any(isinstance(each, (str, bytes)) and len(each) > longest for each in arguments):
                while len(known) >= entries:
                    with suppress(KeyError, RuntimeError, StopIteration):  # another thread made room
                        del known[next(iter(known))]
                known[arguments] = found
            return found

        return answer  # type: ignore[return-value]

    return decorate
