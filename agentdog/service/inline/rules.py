"""The policy file as a running service follows it.

Invariants: a file that cannot be read keeps the service from starting; one that is spoilt later changes nothing, the
last good rules stay in force and the fault is logged and shown. There being no file is a policy without rules.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from agentdog.base.errors import UsageError
from agentdog.policy import EMPTY, Policy, load

_log = logging.getLogger(__name__)
_LOOK_S = 1.0  # between two looks at the file's time


class PolicyFile:
    """Gives the rules in force; reads the file again when it changed.

    Args:
        path: of the file.
        required: whether the file must be there, since somebody named it.
    """

    def __init__(self, path: Path | None, *, required: bool = False) -> None:
        self.path = path
        self.fault: str | None = None
        self._policy = EMPTY
        self._stamp: tuple[int, int] | None = None
        self._looked = 0.0
        if path is not None and required and not path.is_file():
            raise UsageError(f"AGENTDOG_CHECK__POLICY: no such file: {path}")
        if path is not None and path.is_file():
            self._stamp = _stamp(path)
            self._policy = load(path)

    def current(self) -> Policy:
        """Returns the rules in force."""
        if self.path is not None and time.monotonic() - self._looked >= _LOOK_S:
            self._looked = time.monotonic()
            stamp = _stamp(self.path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._read(self.path, stamp)
        return self._policy

    def _read(self, path: Path, stamp: tuple[int, int] | None) -> None:
        try:
            self._policy = load(path) if stamp is not None else EMPTY
            self.fault = None
            _log.info("%d rules in force, from %s", len(self._policy.rules), path)
        except UsageError as error:
            self.fault = str(error)
            _log.error("the rules read last stay in force: %s", error)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
