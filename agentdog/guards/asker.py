"""On whose behalf a guard is asked: which project's run it is, and whether somebody waits for the answer.

A session is opened and asked in many places; that a server may keep projects apart and answer the urgent first is none
of their business, so it travels beside the call. Tasks started meanwhile carry it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Asker(NamedTuple):
    """Who asks.

    Attributes:
        project: of the trajectory; ``None`` where there are no projects.
        urgent: an agent waits for the answer before it acts.
    """

    project: str | None = None
    urgent: bool = False


_NOBODY = Asker()
_CURRENT: ContextVar[Asker] = ContextVar("asker", default=_NOBODY)


def current() -> Asker:
    """Returns on whose behalf the guard is being asked."""
    return _CURRENT.get()


@contextmanager
def asking(project: str | None, *, urgent: bool = False) -> Iterator[None]:
    """Says for whom the guards in this block are asked."""
    before = _CURRENT.set(Asker(project, urgent))
    try:
        yield
    finally:
        _CURRENT.reset(before)
