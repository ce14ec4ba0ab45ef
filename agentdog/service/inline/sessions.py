"""Guard sessions kept between the checks of one run, so that a check costs what is new and not the whole prefix.

Invariant: a session that is handed out stands at exactly the prefix that was asked for; one that a call was shown to is
never handed out for a prefix without that call.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from agentdog.guards import Guard, GuardSession
from agentdog.guards.protocol import Forks
from agentdog.trajectory import Header, Trajectory, prefix_keys

KEPT = 256


class Sessions:
    """The most recently used sessions of one guard, by the hash of their prefix; safe between threads."""

    def __init__(self, guard: Guard, kept: int = KEPT) -> None:
        self._guard = guard
        self._kept = kept
        self._sessions: OrderedDict[str, tuple[int, GuardSession]] = OrderedDict()
        self._lock = Lock()

    def at_end(self, trajectory: Trajectory) -> GuardSession:
        """Returns a session that was shown every step; the one before the last step is kept for the next check."""
        keys = prefix_keys(trajectory)
        last = len(keys) - 1
        taken = self._longest(keys)
        shown, session = taken or (0, self._guard.open(Header.of(trajectory)))
        for step in trajectory.steps[shown:last]:
            session.extend(step)
        ahead = session
        if isinstance(session, Forks) and last > 0:
            ahead = session.fork()
            self._keep(keys[last - 1], last, session)
        for step in trajectory.steps[max(shown, last) :]:
            ahead.extend(step)
        return ahead

    def _longest(self, keys: tuple[str, ...]) -> tuple[int, GuardSession] | None:
        """Takes the session that stands furthest without the pending call."""
        with self._lock:
            for key in reversed(keys[:-1]):
                found = self._sessions.pop(key, None)
                if found is not None:
                    return found
        return None

    def _keep(self, key: str, shown: int, session: GuardSession) -> None:
        with self._lock:
            self._sessions[key] = (shown, session)
            self._sessions.move_to_end(key)
            while len(self._sessions) > self._kept:
                self._sessions.popitem(last=False)
