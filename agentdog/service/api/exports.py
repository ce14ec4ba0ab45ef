"""One run in another tool's schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Response
from fastapi import Query as Param

from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.views import AnyId, Project, needed
from agentdog.service.cases import case_of
from agentdog.store.contract import Store, Stored
from agentdog.trajectory.formats.atbench_row import to_row

_LABELS = {"unsafe": 1, "safe": 0}


def build(store: Store) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["reading"])

    @router.get("/exports/{any_id:path}", summary="One run as a row of another schema", response_class=Response)
    async def export(
        any_id: AnyId,
        format: Annotated[
            Literal["atbench", "regression"],
            Param(description="A row of ATBench's schema, or a regression case for `agentdog judge`."),
        ] = "atbench",
        project: Project = None,
    ) -> Response:
        stored = await needed(store, any_id, project)
        if format == "regression":
            made: Any = case_of(stored.trajectory, stored.diagnosis, stored.reviews)
        else:
            made = as_row(stored)
        return Response(msgspec.json.encode(made), media_type="application/json")

    return router


def as_row(stored: Stored) -> dict[str, Any]:
    """Returns a run as an ATBench row; its labels are those of the diagnosis, not gold."""
    summary = stored.summary
    return to_row(
        stored.trajectory,
        label=_LABELS.get(summary.verdict),
        risk_source=summary.risk_source,
        failure_mode=summary.failure_mode,
        real_world_harm=summary.real_world_harm,
    )
