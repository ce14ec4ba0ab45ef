"""The read API: everything a person, a page or a program may ask about runs, without ever touching Redis itself.

Invariants: GET only, nothing is changed; answers are the contract's structs; every error has the one shape of
`agentdog.service.api.errors`.
"""

from __future__ import annotations

from fastapi import APIRouter

from agentdog.guards import Guard
from agentdog.service.api import operations, trajectories, views
from agentdog.store.contract import Store


def build_router(store: Store, guard: Guard) -> APIRouter:
    """Builds ``/api/v1`` over a store; `guard` is asked for its name and health only."""
    router = APIRouter(prefix="/api/v1")
    router.include_router(trajectories.build(store))
    router.include_router(views.build(store))
    router.include_router(operations.build(store, guard))
    return router
