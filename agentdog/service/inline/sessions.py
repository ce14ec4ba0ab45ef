"""What is known of runs between their checks (guard sessions, policies' backgrounds): a check costs what is new.

Invariant: what is handed out stands at exactly the prefix that was asked for; what a call was shown to is never handed
out for a prefix without that call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, Protocol, TypeVar, cast

from agentdog.guards.protocol import Forks
from agentdog.trajectory import Header, Step, Trajectory, prefix_keys

KEPT = 256


class Growing(Protocol):
    """Something that is shown a run step by step."""

    def extend(self, step: Step) -> None:
        """Takes in one step."""
        ...


S = TypeVar("S", bound=Growing)


class Sessions(Generic[S]):
    """The most recently used sessions, by the hash of their prefix; safe between threads.

    Args:
        begin: starts one on a header; those that cannot be copied (`Forks`) are not kept.
        kept: how many.
    """

    def __init__(self, begin: Callable[[Header], S], kept: int = KEPT) -> None:
        self._begin = begin
        self._kept = kept
        self._sessions: OrderedDict[str, tuple[int, S]] = OrderedDict()
        self._lock = Lock()

    def before_last(self, trajectory: Trajectory) -> S:
        """Returns a session that was shown all steps but the last; one like it is kept for the next check."""
        keys = prefix_keys(trajectory)
        last = len(keys) - 1
        taken = self._longest(keys)
        shown, session = taken or (0, self._begin(Header.of(trajectory)))
        for step in trajectory.steps[shown:last]:
            session.extend(step)
        if not isinstance(session, Forks) or last <= 0:
            return session
        ahead = cast("S", session.fork())
        self._keep(keys[last - 1], last, session)
        return ahead

    def at_end(self, trajectory: Trajectory) -> S:
        """Returns a session that was shown every step."""
        session = self.before_last(trajectory)
        for step in trajectory.steps[-1:]:
            session.extend(step)
        return session

    def _longest(self, keys: tuple[str, ...]) -> tuple[int, S] | None:
        """Takes the session that stands furthest without the pending call."""
        with self._lock:
            for key in reversed(keys[:-1]):
                found = self._sessions.pop(key, None)
                if found is not None:
                    return found
        return None

    def _keep(self, key: str, shown: int, session: S) -> None:
        with self._lock:
            self._sessions[key] = (shown, session)
            self._sessions.move_to_end(key)
            while len(self._sessions) > self._kept:
                self._sessions.popitem(last=False)
