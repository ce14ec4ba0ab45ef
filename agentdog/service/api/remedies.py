"""What to change: for every incident of a run, where a check would have stopped it, and the rule that does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.policy import EMPTY, Call, Policy, Remedy, calls, propose
from agentdog.provenance import load_catalogue
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.views import AnyId, Project, needed
from agentdog.store.contract import Query, Store

_PAGE = 100
#: Rows of the list that are looked at for each run that is wanted.
_LISTED = 2
MOST = 1000


class Remedies(msgspec.Struct, frozen=True, kw_only=True):
    """What to change, by onset; `last` is how many other runs the rules were tried on."""

    trajectory_id: str
    last: int
    remedies: tuple[Remedy, ...]


def build(store: Store, policy: Callable[[], Policy] = lambda: EMPTY) -> APIRouter:
    """Builds the route over a store; `policy` gives the rules in force."""
    router = APIRouter(route_class=ApiRoute, tags=["reading"])
    catalogue = load_catalogue()

    @router.get(
        "/remedies/{any_id:path}",
        summary="What to change: the earliest step at which a check would have stopped each incident, and the rule",
        response_class=Response,
        responses=documented(Remedies, "One per incident that nobody dismissed; empty for a run that is fine."),
    )
    async def remedies(
        any_id: AnyId,
        last: Annotated[int, Param(ge=0, le=MOST, description="Runs of the project that the rules are tried on.")] = 50,
        project: Project = None,
    ) -> Response:
        stored = await needed(store, any_id, project)
        run, diagnosis, rules = stored.trajectory, stored.diagnosis, policy()
        if diagnosis is None or not diagnosis.standing:
            return reply(Remedies(trajectory_id=run.id, last=0, remedies=()))
        past, count = await _past(run.project, run.id, last, rules)
        found = await asyncio.to_thread(propose, run, diagnosis, past, catalogue=catalogue, policy=rules)
        return reply(Remedies(trajectory_id=run.id, last=count, remedies=found))

    async def _past(project: str, but: str, last: int, rules: Policy) -> tuple[list[Call], int]:
        """The calls of the newest runs of a project, and how many runs there were.

        Runs that are listed and no longer there are passed over, but not without end.
        """
        found: list[Call] = []
        count, seen, cursor = 0, 0, None
        while count < last and seen <= _LISTED * last:
            page = await store.list(Query(project=project, limit=min(_PAGE, last - count + 1), cursor=cursor))
            seen += len(page.items)
            for summary in page.items:
                other = None if summary.id == but or count == last else await store.get(summary.id, project)
                if other is not None:
                    known = other.trajectory, other.diagnosis
                    found += await asyncio.to_thread(calls, *known, catalogue, rules.trusted_tools)
                    count += 1
            cursor = page.next
            if cursor is None:
                break
        return found, count

    return router
