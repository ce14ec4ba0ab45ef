"""Writes who read what into the audit log.

Invariant: content leaves the API only after the entry is stored. A page that shows the same run every few seconds is
one reader: the same token reading the same thing again within a minute is not written again.
"""

from __future__ import annotations

import time

from agentdog.service.auth import Access
from agentdog.store.contract import Store
from agentdog.store.tokens import AuditEntry

_AGAIN_S = 60.0
_REMEMBERED = 4096


class Auditor:
    """Notes reads, reviews and deletions of one API process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[str, str, str | None, str | None], float] = {}

    async def note(
        self, access: Access, action: str, *, project: str | None, subject: str | None, address: str | None
    ) -> None:
        """Stores an entry.

        Raises:
            StoreUnavailable: it could not be stored.
        """
        key = (access.who, action, project, subject)
        now = time.monotonic()
        if action == "read" and now - self._seen.get(key, float("-inf")) < _AGAIN_S:
            return
        await self._store.record_access(
            AuditEntry(
                time="",
                who=access.who,
                name=access.name,
                action=action,
                project=project,
                subject=subject,
                address=address,
            )
        )
        self._seen.pop(key, None)
        self._seen[key] = now
        while len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
