"""What was sent to others, what waits, what was given up.

Invariant: no answer holds an address or a message's body; whoever may read sees that somebody was told, of which run.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.outbound import Delivery
from agentdog.outbound.delivery import again, unit_of
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import MAX_LIMIT, Text
from agentdog.service.api.gate import Visitor, note
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.scope import reached
from agentdog.store.contract import Store

_AT_ONCE = 1000


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, the last tried first; `unsent` counts those that wait or were given up."""

    items: tuple[Delivery, ...]
    unsent: int


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages are tried again."""

    retried: int


def build(store: Store) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["operations"])

    @router.get(
        "/deliveries",
        summary="Alerts and verdicts that were sent, wait, or were given up",
        response_class=Response,
        responses=documented(Deliveries, "Verdicts are listed only where they could not be sent at once."),
    )
    async def deliveries(
        access: Visitor,
        project: Annotated[Text | None, Param(description="Of this project only.")] = None,
        unsent: Annotated[bool, Param(description="Only what waits or was given up.")] = False,
        limit: Annotated[int, Param(ge=1, le=MAX_LIMIT, description="Entries in the answer.")] = 100,
    ) -> Response:
        access.need("read")
        where = await reached(store, access, project)
        found = await store.deliveries(where, limit, unsent=unsent)
        bare = tuple(msgspec.structs.replace(each, body=b"") for each in found)
        return reply(Deliveries(items=bare, unsent=await store.unsent(where)))

    @router.post(
        "/deliveries/retry",
        summary="Try messages again that wait or were given up: one by its id, or all",
        response_class=Response,
        responses=documented(Retried, "They are tried at once, with all tries before them."),
    )
    async def retry(
        access: Visitor, id: Annotated[Text | None, Param(description="One message's id.")] = None
    ) -> Response:
        access.need("admin")
        found = await store.deliveries(await reached(store, access, None), _AT_ONCE, unsent=True)
        chosen = [each for each in found if id is None or each.id == id]
        for each in chosen:
            await store.save_delivery(again(each))
            await store.enqueue(each.project, [unit_of(each)])
        await note("retry deliveries", subject=id or "all")
        return reply(Retried(retried=len(chosen)))

    return router
