"""What was taken out of telemetry before it was stored, and who read what is there."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Response

from agentdog.service.api.care import Limit
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import Visitor
from agentdog.service.api.operations import Counts
from agentdog.service.api.respond import documented, reply
from agentdog.store.contract import Store
from agentdog.store.tokens import AuditEntry


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Who read, reviewed or deleted what, newest first."""

    items: tuple[AuditEntry, ...]


def build(store: Store) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["operations"])

    @router.get(
        "/redactions",
        summary="Secrets and personal data that were taken out of telemetry, by project and kind",
        response_class=Response,
        responses=documented(
            Counts, "Occurrences in all that was received, repeats included; of the last second not yet."
        ),
    )
    async def redactions(access: Visitor) -> Response:
        access.need("read")
        counts: dict[str, dict[str, int]] = {}
        for name, value in (await store.figures()).items():
            if name[0] == "redacted" and access.may_see(name[1]):
                counts.setdefault(name[1], {})[name[2]] = int(value)
        return reply(Counts(projects=counts))

    @router.get(
        "/audit",
        summary="Who read content, reviewed or deleted",
        response_class=Response,
        responses=documented(AuditPage, "The newest entries."),
    )
    async def audit(access: Visitor, limit: Limit = 100) -> Response:
        access.need("admin")
        found = await store.audit_log(limit)
        return reply(AuditPage(items=tuple(e for e in found if access.may_see(e.project or ""))))

    return router
