"""When people are alerted: how it stands, what other thresholds would have alerted, and the decision.

Invariant: whatever changes something here needs the role ``admin`` and is written to the audit log.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi import Query as Param

from agentdog.base.errors import UsageError
from agentdog.diagnosis import Alerting, Calibration, Replay
from agentdog.diagnosis.calibration import FALSE_ALARM
from agentdog.guards import Guard
from agentdog.service.alerting import Alerts, AlertState, Benign
from agentdog.service.api import bodies
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import Text
from agentdog.service.api.gate import Visitor, note
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.scope import reached
from agentdog.service.reviewing import Name
from agentdog.store.contract import Store

MOST_DAYS = 36_500  # a century
Probability = Annotated[float, msgspec.Meta(gt=0, le=1)]


class AlertStates(msgspec.Struct, frozen=True, kw_only=True):
    """How alerts stand, by project."""

    items: tuple[AlertState, ...]


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that decides about a project's alerts; what is left out stays as it is.

    Attributes:
        project: its name.
        alerting: ``observe`` or ``on``.
        alert_at: P(unsafe) from which an incident alerts, and a step counts as unsafe; ``null`` goes back to the
            calibrated threshold. It holds for the guard in use.
        max_alerts_per_day: the budget that it was chosen for.
    """

    project: Name
    alerting: Alerting | msgspec.UnsetType = msgspec.UNSET
    alert_at: Probability | msgspec.UnsetType | None = msgspec.UNSET
    max_alerts_per_day: Annotated[float, msgspec.Meta(ge=0)] | msgspec.UnsetType | None = msgspec.UNSET


class Calibrating(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body that fits a guard's threshold: on a project's stored runs, or on scores that were taken elsewhere.

    Attributes:
        false_alarm: share of benign runs that may alert.
        project: whose runs.
        benign: which of them: ``approved`` by people, or ``all``.
        scores: the highest P(unsafe) of each benign run, by group of runs that are not independent.
        guard: fingerprint of the guard that gave the scores.
        source: which runs, in words.
    """

    false_alarm: Annotated[float, msgspec.Meta(gt=0, lt=1)] = FALSE_ALARM
    project: Name | None = None
    benign: Benign = "approved"
    scores: dict[str, list[Annotated[float, msgspec.Meta(ge=0, le=1)]]] | None = None
    guard: Name | None = None
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None


class Calibrations(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds on the maximum over steps that were fitted here."""

    items: tuple[Calibration, ...]


def build(store: Store, guard: Guard) -> APIRouter:
    """Builds the routes over a store and the guard in use."""
    router = APIRouter(route_class=ApiRoute, tags=["alerts"])
    alerts = Alerts(store, guard)

    @router.get(
        "/tuning",
        summary="How alerts stand: observed only or told, from which threshold, and where that comes from",
        response_class=Response,
        responses=documented(AlertStates, "One entry per project."),
    )
    async def states(
        access: Visitor, project: Annotated[Text | None, Param(description="Of this project only.")] = None
    ) -> Response:
        access.need("read")
        names = sorted(await reached(store, access, project))
        return reply(AlertStates(items=tuple(await alerts.states(names))))

    @router.get(
        "/tuning/replay",
        summary="What each threshold would have alerted, from stored verdicts; no guard is asked",
        response_class=Response,
        responses=documented(Replay, "From the highest threshold to the lowest."),
    )
    async def replayed(
        access: Visitor,
        project: Annotated[Text, Param(description="Whose runs.")],
        days: Annotated[
            float | None, Param(gt=0, le=MOST_DAYS, description="How far back; all that is stored otherwise.")
        ] = None,
        max_alerts_per_day: Annotated[
            float | None, Param(ge=0, allow_inf_nan=False, description="Chooses a threshold.")
        ] = None,
    ) -> Response:
        access.need("read")
        access.need_project(project)
        await note("replay alerts", project=project)
        return reply(await alerts.replay(project, days=days, max_per_day=max_alerts_per_day))

    _deciding(router, alerts)
    _calibrating(router, store, alerts)
    return router


def _deciding(router: APIRouter, alerts: Alerts) -> None:
    @router.post(
        "/tuning",
        summary="Decide from which threshold people are alerted, and whether they are",
        response_class=Response,
        responses=documented(AlertState, "As it stands now."),
        openapi_extra=bodies.documented(Decision),
    )
    async def decide(access: Visitor, request: Request) -> Response:
        access.need("admin")
        try:
            body = await bodies.read(request, Decision)
        except bodies.Refused as refused:
            return refused.response
        access.need_project(body.project)
        changes = {
            name: value
            for name in ("alerting", "alert_at", "max_alerts_per_day")
            if (value := getattr(body, name)) is not msgspec.UNSET
        }
        if not changes:
            raise UsageError("nothing to decide: give alerting, alert_at, or both")
        state = await alerts.decide(body.project, changes)
        told = ", ".join(f"{name}={value}" for name, value in changes.items())
        await note("tune", project=body.project, subject=told)
        return reply(state)


def _calibrating(router: APIRouter, store: Store, alerts: Alerts) -> None:
    @router.get(
        "/calibrations",
        summary="Guards' thresholds on the maximum over steps that were fitted here",
        response_class=Response,
        responses=documented(Calibrations, "One per guard; those that come with this version are not among them."),
    )
    async def calibrations(access: Visitor) -> Response:
        access.need("read")
        return reply(Calibrations(items=tuple((await store.calibrations()).values())))

    @router.post(
        "/calibrations",
        summary="Fit a guard's threshold on benign runs",
        response_class=Response,
        responses=documented(Calibration, "It holds from now on for that guard, in every project that is not tuned."),
        openapi_extra=bodies.documented(Calibrating),
    )
    async def calibrate(access: Visitor, request: Request) -> Response:
        access.need("admin")
        try:
            body = await bodies.read(request, Calibrating)
        except bodies.Refused as refused:
            return refused.response
        if (body.project is None) == (body.scores is None):
            raise UsageError("give either project, whose stored runs are taken, or scores")
        if body.project is not None:
            access.need_project(body.project)
            fitted = await alerts.calibrate_on(body.project, benign=body.benign, false_alarm=body.false_alarm)
        else:
            source = body.source or "scores given by hand"
            fitted = await alerts.calibrate_with(body.scores or {}, body.false_alarm, source, body.guard)
        await note("calibrate", project=body.project, subject=f"guard {fitted.guard}: {fitted.threshold:g}")
        return reply(fitted)
