"""Intake: what the receivers do with a decoded request, whatever protocol it came by.

Invariant: when `take` returns, every record that it does not report as rejected is durable.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable

import msgspec
from opentelemetry.trace import Tracer

from agentdog.base.errors import UsageError
from agentdog.service.auth import OPEN, Access
from agentdog.service.figures import Figures
from agentdog.service.redaction import Redactor
from agentdog.service.tracing import SILENT
from agentdog.spans.allowance import Grow, unwatched
from agentdog.spans.own import without_own
from agentdog.spans.records import Arrived, Received, Rejection
from agentdog.store.contract import Store

#: Which project telemetry belongs to: this header (or gRPC metadata key) of the request …
PROJECT_HEADER = "x-agentdog-project"
#: … else this attribute of the resource, else the setting ``project``.
PROJECT_ATTRIBUTE = "agentdog.project"

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RULE = "must be 1 to 64 letters, digits, dots, underscores or hyphens"
_REASONS_TOLD = 3


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: how many records were refused, and why (empty when none)."""

    rejected: int
    message: str


class Intake:
    """Redacts a request's records, sorts them by project and stores them.

    Args:
        store: where they go.
        default_project: of what names none.
        redactor: takes secrets out before anything is written; ``None``: nothing is taken out.
        figures: where what was taken out is counted.
        own: told how many records were left out since a sidecar itself emitted them.
        tracer: of its own work.
    """

    def __init__(
        self,
        store: Store,
        default_project: str,
        redactor: Redactor | None = None,
        figures: Figures | None = None,
        *,
        own: Callable[[int], object] = lambda number: None,
        tracer: Tracer = SILENT,
    ) -> None:
        self._own = own
        self._tracer = tracer
        self._store = store
        self._default = default_project
        self._redactor = redactor
        self._figures = figures or Figures(store)

    async def take(
        self,
        decoded: Received,
        project: str | None,
        access: Access = OPEN,
        *,
        body: bytes | None = None,
        grow: Grow = unwatched,
    ) -> Taken:
        """Stores a request.

        Args:
            decoded: what it held.
            project: the request's own word on its project (`PROJECT_HEADER`), if any.
            access: what its sender may do.
            body: the bytes that it was decoded from; most show at a glance that there is nothing to take out.
            grow: told about how many bytes the request takes beside its body, where redaction changes that.

        Raises:
            UsageError: the project's name is not allowed.
            Forbidden: the sender may not send, or not to this project.
            StoreUnavailable: not everything is durable; the client should send it all again.
            Overloaded: `grow` raised it.
        """
        access.need("ingest")
        if project is not None:
            if not _NAME.fullmatch(project):
                raise UsageError(f"{PROJECT_HEADER} {_RULE}")
            access.need_project(project)
        decoded, own = without_own(decoded)
        if own:
            self._own(own)
            if not decoded.records and not decoded.rejected:
                return Taken(rejected=0, message="")
        home = self._home(project, access)
        if self._redactor is not None:
            decoded = self._redacted(self._redactor, decoded, body, home, grow)
        records, refused = self._by_project(decoded, project, home, access)
        rejected = decoded.rejected + tuple(refused)
        if rejected:
            records.setdefault(home, [])
        told = {"agentdog.records": len(decoded.records), "agentdog.rejected": len(rejected)}
        with self._tracer.start_as_current_span("receive", attributes=told):
            for name, group in records.items():
                mine = rejected if name == home else ()
                await self._store.append(name, Received(records=tuple(group), rejected=mine))
                self._figures.count("received", name, by=len(group) + len(mine))
        return Taken(rejected=len(rejected), message=_told(rejected))

    def _redacted(self, redactor: Redactor, decoded: Received, body: bytes | None, home: str, grow: Grow) -> Received:
        cleaned, finds = redactor.clean(decoded, body, grow)
        for record, found in zip(cleaned.records, finds, strict=True):
            if not found:
                continue
            named = str(record.resource.get(PROJECT_ATTRIBUTE, home))
            project = named if _NAME.fullmatch(named) else home
            for kind, number in found.items():
                self._figures.count("redacted", project, kind, by=number)
        return cleaned

    def _home(self, project: str | None, access: Access) -> str:
        """Returns the project of what names none: a token for one project stands for it."""
        if project is not None:
            return project
        if access.projects is None or self._default in access.projects:
            return self._default
        return min(access.projects)

    @staticmethod
    def _by_project(
        decoded: Received, project: str | None, home: str, access: Access
    ) -> tuple[dict[str, list[Arrived]], list[Rejection]]:
        if project is not None:
            return ({project: list(decoded.records)} if decoded.records else {}), []
        groups: dict[str, list[Arrived]] = defaultdict(list)
        refused = []
        for record in decoded.records:
            name = record.resource.get(PROJECT_ATTRIBUTE, home) if record.resource else home
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                refused.append(Rejection(id=record.id, reason=f"resource attribute {PROJECT_ATTRIBUTE} {_RULE}"))
            elif not access.may_see(name):
                refused.append(Rejection(id=record.id, reason=f"the sender's token is for other projects than {name}"))
            else:
                groups[name].append(record)
        return groups, refused


def _told(rejected: tuple[Rejection, ...]) -> str:
    told = "; ".join(f"{fault.id}: {fault.reason}" for fault in rejected[:_REASONS_TOLD])
    more = len(rejected) - _REASONS_TOLD
    return f"{told}; and {more} more" if more > 0 else told
