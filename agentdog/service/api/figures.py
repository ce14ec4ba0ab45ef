"""How guards do: verdicts and why there is none, tokens and how many a cache held, time to an answer; which packs.

Invariant: counts are of projects that the visitor may see; times are of all projects and are told to those who may see
all only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from fastapi import APIRouter, Response

from agentdog.guards import packs
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import Visitor
from agentdog.service.api.respond import documented, reply
from agentdog.service.figures import BOUNDS, OPEN
from agentdog.store.contract import Store

Counted = Mapping[tuple[str, ...], float]
Kind = Literal["guard", "span_end", "arrival"]
_TIMES: Mapping[Kind, tuple[str, ...]] = {
    "guard": ("guard_seconds",),
    "span_end": ("step_to_verdict_seconds", "span_end"),
    "arrival": ("step_to_verdict_seconds", "arrival"),
}


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What guards said in one project, since the store is there.

    Attributes:
        verdicts: by result.
        not_evaluated: of these without one, by reason.
        tokens: prompt, cached (of the prompt's), completion.
        labelled: verdicts with where, how and what.
    """

    project: str
    verdicts: Mapping[str, int]
    not_evaluated: Mapping[str, int]
    tokens: Mapping[str, int]
    labelled: int


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took, as a histogram.

    Attributes:
        kind: ``guard``, from asking to the answer; ``span_end`` and ``arrival``, from the end of a step's span, or from
            its arrival here, to its verdict.
        bounds: upper bounds of the parts in seconds; the last part has none.
        counts: of each part, one more than bounds.
        seconds: the sum of all.
    """

    kind: Kind
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    seconds: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How guards do."""

    items: tuple[Judged, ...]
    timings: tuple[Timing, ...]


class PackInfo(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A prompt that can be used; `refused` says why it cannot."""

    name: str
    family: str
    wording: str
    refused: str | None = None
    note: str | None = None


class Packs(msgspec.Struct, frozen=True, kw_only=True):
    """Every pack that can be named."""

    items: tuple[PackInfo, ...]


def build(store: Store, folder: Path | None = None) -> APIRouter:
    """Builds the routes over a store and the folder of packs of the user's own."""
    router = APIRouter(route_class=ApiRoute, tags=["operations"])

    @router.get(
        "/figures",
        summary="How guards do: verdicts, reasons for none, tokens and cache hits, time to an answer",
        response_class=Response,
        responses=documented(Figures, "Counts by project, and times of all projects together."),
    )
    async def figures(access: Visitor) -> Response:
        access.need("read")
        counted = await store.figures()
        known = {key[1] for key in counted if key[0] == "verdicts"}
        items = tuple(_judged(counted, project) for project in sorted(access.within(dict.fromkeys(known, 0))))
        timings = tuple(_timing(counted, kind) for kind in _TIMES) if access.projects is None else ()
        return reply(Figures(items=items, timings=tuple(each for each in timings if any(each.counts))))

    @router.get(
        "/packs",
        summary="Which prompts there are, for which models, in whose words",
        response_class=Response,
        responses=documented(Packs, "Shipped ones in the wording in use, then those of the packs folder."),
    )
    async def listed(access: Visitor) -> Response:
        access.need("read")
        found = await asyncio.to_thread(packs.known, folder)
        infos = (
            PackInfo(name=each.name, family=each.family, wording=each.wording, refused=each.refused, note=each.note)
            for each in found
        )
        return reply(Packs(items=tuple(infos)))

    return router


def _judged(counted: Counted, project: str) -> Judged:
    def of(name: str) -> dict[str, int]:
        return {key[2]: int(value) for key, value in counted.items() if key[:2] == (name, project) and len(key) == 3}

    return Judged(
        project=project,
        verdicts=of("verdicts"),
        not_evaluated=of("not_evaluated"),
        tokens=of("tokens"),
        labelled=int(counted.get(("labelled", project), 0)),
    )


def _timing(counted: Counted, kind: Kind) -> Timing:
    name, *labels = _TIMES[kind]
    parts = (*map(str, BOUNDS), OPEN)
    return Timing(
        kind=kind,
        bounds=BOUNDS,
        counts=tuple(int(counted.get((f"{name}_bucket", *labels, part), 0)) for part in parts),
        seconds=counted.get((f"{name}_sum", *labels), 0.0),
    )
