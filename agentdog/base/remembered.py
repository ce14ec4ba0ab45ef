"""A memory for pure functions of texts that a stranger may choose: bounded in number, and in what each may hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def remembered(entries: int, *, longest: int) -> Callable[[F], F]:
    """Remembers the last answers of a function, but none to a text or bytes longer than `longest`.

    `functools.lru_cache` bounds how many arguments it keeps, not how large: a name of a megabyte, of which somebody
    sends thousands, would stay for as long as the process lives. Arguments are given by position.
    """

    def decorate(function: F) -> F:
        known = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def answer(*arguments: object) -> object:
            for each in arguments:
                if isinstance(each, (str, bytes)) and len(each) > longest:
                    return function(*arguments)
            return known(*arguments)

        return answer  # type: ignore[return-value]

    return decorate
