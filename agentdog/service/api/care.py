"""What an operator looks after: records that were refused, and what no try could work on.

Invariant: whatever changes something here needs the role ``admin`` and is written to the audit log.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import MAX_LIMIT, Text
from agentdog.service.api.gate import Visitor, note
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.scope import reached
from agentdog.store.contract import DeadLetter, Refusal, Store

Limit = Annotated[int, Param(ge=1, le=MAX_LIMIT, description="Entries in the answer.")]
Project = Annotated[Text | None, Param(description="Of this project only.")]


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """Spans and records that were refused, newest first; why each reason arises is in docs/rejections.md."""

    items: tuple[Refusal, ...]


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Units given up, newest first."""

    items: tuple[DeadLetter, ...]


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many dead letters were queued again."""

    replayed: int


def build(store: Store) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["operations"])

    @router.get(
        "/rejections",
        summary="Spans and records that were refused, and why",
        response_class=Response,
        responses=documented(Refusals, "The newest of them; the counts are under /accounting."),
    )
    async def rejections(access: Visitor, project: Project = None, limit: Limit = 100) -> Response:
        access.need("read")
        where = await reached(store, access, project)
        return reply(Refusals(items=tuple(await store.refusals(where, limit))))

    @router.get(
        "/dead-letters",
        summary="Traces and sessions that no try could work on",
        response_class=Response,
        responses=documented(DeadLetters, "Each with its last error; `id` is what /dead-letters/replay wants."),
    )
    async def dead_letters(access: Visitor, limit: Limit = 100) -> Response:
        access.need("read")
        found = await store.dead_letters(limit)
        return reply(DeadLetters(items=tuple(letter for letter in found if access.may_see(letter.project))))

    @router.post(
        "/dead-letters/replay",
        summary="Queue dead letters again: one by its id, or all",
        response_class=Response,
        responses=documented(Replayed, "They are tried as if they were new."),
    )
    async def replay(
        access: Visitor, id: Annotated[Text | None, Param(description="One letter's id.")] = None
    ) -> Response:
        access.need("admin")
        letters = [each for each in await store.dead_letters(1000) if access.may_see(each.project)]
        chosen = [each for each in letters if id is None or each.id == id]
        count = await store.replay(chosen)
        await note("replay", subject=id or "all dead letters")
        return reply(Replayed(replayed=count))

    return router
