"""What goes on: records and verdicts a second, and how long verdicts took, over the last minutes.

Invariant: counts are of projects that the visitor may see; times are of all projects together and are told to those who
may see all only, as in ``/figures``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import Visitor
from agentdog.service.api.respond import documented, reply
from agentdog.service.auth import Access
from agentdog.service.figures import BOUNDS, OPEN
from agentdog.store.contract import Store
from agentdog.store.recent import KEPT_S, SLOT_S, Slot

_LATENCY = ("step_to_verdict_seconds_bucket", "arrival")


class Moment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Ten seconds: when they began, records that arrived, verdicts, and these by how long after the step's arrival.

    `latency` has one count per bound and one for what took longer; it is left out where there is none.
    """

    time: str
    records: int = 0
    verdicts: int = 0
    latency: tuple[int, ...] = ()


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """The last minutes, oldest first; the last moment still goes on. `bounds` are of `latency`, in seconds."""

    slot_s: int
    bounds: tuple[float, ...]
    items: tuple[Moment, ...]


def build(store: Store, clock: Clock | None = None) -> APIRouter:
    """Builds the route over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["operations"])
    clock = clock or SystemClock()

    @router.get(
        "/rates",
        summary="Records and verdicts a second, and time to a verdict, over the last minutes",
        response_class=Response,
        responses=documented(Rates, "One entry per ten seconds, oldest first; the last one goes on."),
    )
    async def rates(
        access: Visitor,
        seconds: Annotated[int, Param(ge=SLOT_S, le=KEPT_S - SLOT_S, description="How far back.")] = 600,
    ) -> Response:
        access.need("read")
        slots = await store.recent(clock.now_ns() / 1e9, seconds)
        return reply(Rates(slot_s=SLOT_S, bounds=BOUNDS, items=tuple(_moment(slot, access) for slot in slots)))

    return router


def _moment(slot: Slot, access: Access) -> Moment:
    def of(name: str) -> int:
        return int(sum(value for key, value in slot.figures.items() if key[0] == name and access.may_see(key[1])))

    return Moment(
        time=rfc3339(slot.start_s * 1_000_000_000),
        records=of("received"),
        verdicts=of("verdicts"),
        latency=_latency(slot.figures) if access.projects is None else (),
    )


def _latency(figures: Mapping[tuple[str, ...], float]) -> tuple[int, ...]:
    counts = tuple(int(figures.get((*_LATENCY, part), 0)) for part in (*map(str, BOUNDS), OPEN))
    return counts if any(counts) else ()
