"""The API: everything a person, a page or a program may ask about runs, without ever touching Redis itself.

Invariants: GET changes nothing; answers are the contract's structs; every error has the one shape of
`agentdog.service.api.errors`; what a visitor may do and see is asked of `agentdog.service.api.gate`.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter

from agentdog.guards import Guard
from agentdog.service.api import (
    analyses,
    attributions,
    budgets,
    care,
    check,
    deliveries,
    evaluations,
    exports,
    figures,
    forget,
    learned,
    looks,
    operations,
    origins,
    patterns,
    playground,
    privacy,
    rates,
    remedies,
    reviews,
    saved,
    trajectories,
    tuning,
    views,
)
from agentdog.service.inline import Checker
from agentdog.service.metrics import Metrics
from agentdog.service.redaction import Redactor
from agentdog.service.settings import AttributionSettings, JudgeSettings
from agentdog.store.contract import Store


def build_router(  # noqa: PLR0913 - parts of one application, by name
    store: Store,
    guard: Guard,
    *,
    checker: Checker | None = None,
    metrics: Metrics | None = None,
    redactor: Redactor | None = None,
    limits: JudgeSettings | None = None,
    attribution: AttributionSettings | None = None,
    packs: Path | None = None,
    runs: Path | None = None,
) -> APIRouter:
    """Builds ``/api/v1`` over a store; `guard` is asked for its name and health, and judges what is pasted.

    Without a `checker` there is no inline check; `limits` are of what a guard may cost; `attribution` says who explains
    actions; `packs` is the folder of the user's own, `runs` that of kept evaluations.
    """
    router = APIRouter(prefix="/api/v1")
    if checker is not None:
        router.include_router(check.build(checker, metrics or Metrics()))
    router.include_router(trajectories.build(store))
    router.include_router(saved.build(store))
    router.include_router(views.build(store))
    router.include_router(origins.build(store))
    router.include_router(exports.build(store))
    router.include_router(remedies.build(store, checker.policy) if checker is not None else remedies.build(store))
    router.include_router(patterns.build(store))
    router.include_router(reviews.build(store))
    router.include_router(operations.build(store, guard))
    router.include_router(analyses.build(store))
    router.include_router(attributions.build(store, guard, attribution or AttributionSettings()))
    router.include_router(tuning.build(store, guard))
    router.include_router(budgets.build(store, limits or JudgeSettings()))
    router.include_router(figures.build(store, packs))
    router.include_router(rates.build(store))
    router.include_router(learned.build(store, guard))
    router.include_router(looks.build(store, guard))
    router.include_router(playground.build(guard, redactor))
    router.include_router(evaluations.build(runs))
    router.include_router(care.build(store))
    router.include_router(privacy.build(store))
    router.include_router(deliveries.build(store))
    router.include_router(forget.build(store, redactor.text if redactor is not None else lambda text: text))
    return router
