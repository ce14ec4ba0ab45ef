"""What a reader of runs asks for: search by any id or by words, one run in pieces, one text whole.

Invariant: what one answer of `/view` weighs depends on how many steps were asked for, not on how long the run is, but
for a few bytes per step of outline.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Response
from fastapi import Query as Param
from pydantic import BaseModel, ConfigDict, Field

from agentdog.base.errors import NotFoundError
from agentdog.diagnosis import Diagnosis, Incident, StepVerdict
from agentdog.guards import GuardInfo
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.filters import Text
from agentdog.service.api.gate import note
from agentdog.service.api.places import excerpt, passage_of, step_of
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.shorten import Cut, shorten, whole
from agentdog.service.auth import current
from agentdog.store.contract import Store, Stored, Summary, Version
from agentdog.store.texts import passages
from agentdog.trajectory import Agent, Step, Trajectory

#: Trace and span ids are stored in lower case; in JSON and in other tools they may be written in capitals (OTLP 1.11).
HEX_ID = re.compile(r"[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}(:[0-9A-Fa-f]{16})?")
MOST_STEPS, MOST_HITS = 500, 50

AnyId = Annotated[str, Path(description="A trajectory, trace, span (`traceid:spanid` too), session or tool-call id.")]
Project = Annotated[str | None, Param(description="Look in this project only.")]


class Hit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A run that was found: the step where, what kind of text it stands in, and the words around it (untrusted)."""

    summary: Summary
    kind: Literal["id", "user", "evidence", "incident"]
    step: int | None = None
    excerpt: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found, newest first; `total` is at least how many there are."""

    hits: tuple[Hit, ...]
    total: int


class Outlined(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step in the outline: who acts, with which tools, what the verdict is; indices count from 0."""

    role: Literal["user", "agent", "environment"]
    outcome: str | None = None
    p_unsafe: float | None = None
    name: str = ""


class View(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One run as a page shows it.

    Attributes:
        head: the trajectory without its steps.
        focus: index of the step that the asked id leads to.
        outline: every step, in few bytes.
        first: index of the first of `steps`; those asked for, long texts cut.
        cuts: by step index, what was cut.
        verdicts: of `steps` and of the incidents' onsets, where judged.
        reasons: why prefixes were not evaluated, with how many.
        versions: what earlier diagnoses said, newest first.
    """

    summary: Summary
    head: Trajectory
    outline: tuple[Outlined, ...]
    first: int
    steps: tuple[Step, ...]
    cuts: dict[int, tuple[Cut, ...]]
    verdicts: tuple[StepVerdict, ...]
    focus: int | None = None
    guard: GuardInfo | None = None
    judged_at: str | None = None
    verdict: str | None = None
    reasons: dict[str, int] = {}
    incidents: tuple[Incident, ...] = ()
    versions: tuple[Version, ...] = ()


class WholeText(msgspec.Struct, frozen=True, kw_only=True):
    """One text of one step, whole."""

    text: str


class ViewFilter(BaseModel):
    """Which part of a run."""

    model_config = ConfigDict(extra="forbid")

    project: Text | None = Field(default=None, description="Look in this project only.")
    first: int | None = Field(default=None, ge=0, description="Index of the first step; else around the focus.")
    count: int = Field(default=50, ge=0, le=MOST_STEPS, description="Steps.")
    clip: int = Field(default=4000, ge=200, le=200_000, description="Characters after which a text is cut.")


def build(store: Store) -> APIRouter:
    """Builds the routes over a store."""
    router = APIRouter(route_class=ApiRoute, tags=["reading"])

    @router.get(
        "/search",
        summary="Runs by any id in them, or by words of title, user text and evidence",
        response_class=Response,
        responses=documented(Found, "An id that is known comes alone; otherwise every word must occur."),
    )
    async def search(
        q: Annotated[str, Param(min_length=1, max_length=2000, description="An id, or words; the last may be begun.")],
        project: Project = None,
        limit: Annotated[int, Param(ge=1, le=MOST_HITS, description="Hits.")] = 20,
    ) -> Response:
        wanted = q.strip()
        stored = await by_id(store, wanted, project) if wanted else None
        if stored is not None:
            hit = Hit(summary=stored.summary, kind="id", step=step_of(stored.trajectory, wanted))
            return reply(Found(hits=(hit,), total=1))
        found, total = await store.search(wanted, project=project, limit=limit, within=current().projects)
        await note("search", project=project, subject=wanted[:200])
        return reply(Found(hits=tuple(_hit(each, wanted) for each in found), total=total))

    @router.get(
        "/view/{any_id:path}",
        summary="One run in pieces: outline, incidents, some steps with long texts cut",
        response_class=Response,
        responses=documented(View, "Ask for other steps with `first` and `count`."),
    )
    async def view(any_id: AnyId, part: Annotated[ViewFilter, Param()]) -> Response:
        stored = await needed(store, any_id, part.project)
        versions = await store.versions(stored.summary.project, stored.summary.id)
        return reply(view_of(stored, part, step_of(stored.trajectory, any_id), tuple(versions)))

    @router.get(
        "/text/{any_id:path}",
        summary="One text of one step, whole",
        response_class=Response,
        responses=documented(WholeText, "The text named by a cut's `field`."),
    )
    async def text(
        any_id: AnyId,
        step: Annotated[int, Param(ge=0, description="Index of the step, from 0.")],
        field: Annotated[str, Param(min_length=1, description="Such as `tool_result`.")],
        project: Project = None,
    ) -> Response:
        stored = await needed(store, any_id, project)
        return reply(WholeText(text=whole(step_at(stored.trajectory, step), field)))

    return router


async def by_id(store: Store, any_id: str, project: str | None) -> Stored | None:
    """Finds a run that the visitor may see by an id, in whatever case a hexadecimal one is written."""
    access = current()
    if project is not None:
        access.need_project(project)
    found = await store.get(any_id, project, access.projects)
    if found is None and HEX_ID.fullmatch(any_id):
        found = await store.get(any_id.lower(), project, access.projects)
    if found is not None:
        await note("read", project=found.summary.project, subject=found.summary.id)
    return found


async def needed(store: Store, any_id: str, project: str | None) -> Stored:
    """Finds a run by an id; raises `NotFoundError` that says what to think of."""
    found = await by_id(store, any_id, project)
    if found is None:
        where = f" in project {project!r}" if project else ""
        raise NotFoundError(
            f"no trajectory, trace, span, session or tool call has the id {any_id!r}{where};"
            " it may not have arrived yet, or was removed"
        )
    return found


def step_at(trajectory: Trajectory, index: int) -> Step:
    """Returns one step of a run; raises `NotFoundError` where there is none."""
    if index >= len(trajectory.steps):
        raise NotFoundError(f"the run has {len(trajectory.steps)} steps; there is no index {index}")
    return trajectory.steps[index]


def _hit(stored: Stored, query: str) -> Hit:
    passage = passage_of(passages(stored.trajectory, stored.diagnosis), query)
    if passage is None:
        return Hit(summary=stored.summary, kind="user")
    kind: Literal["user", "evidence", "incident"] = msgspec.convert(
        passage.kind, Literal["user", "evidence", "incident"]
    )
    return Hit(summary=stored.summary, kind=kind, step=passage.step, excerpt=excerpt(passage.text, query))


def view_of(stored: Stored, part: ViewFilter, focus: int | None, versions: tuple[Version, ...]) -> View:
    """Lays out a run; the window is around the focus, else around the first onset, else at the start."""
    run, diagnosis = stored.trajectory, stored.diagnosis
    judged = {each.index: each for each in diagnosis.steps} if diagnosis else {}
    incidents = diagnosis.incidents if diagnosis else ()
    first = part.first if part.first is not None else _begin(len(run.steps), part.count, focus, incidents)
    window = run.steps[first : first + part.count]
    short = [(shorten(step, part.clip, _quotes(step.index, incidents))) for step in window]
    shown = sorted({step.index for step in window} | {incident.onset for incident in incidents})
    return View(
        summary=stored.summary,
        head=msgspec.structs.replace(run, steps=(), agents=_profiles(run, part.clip)),
        outline=tuple(_outlined(step, judged.get(step.index)) for step in run.steps),
        first=first,
        steps=tuple(step for step, _ in short),
        cuts={step.index: cuts for step, cuts in short if cuts},
        verdicts=tuple(judged[at] for at in shown if at in judged),
        focus=focus,
        guard=diagnosis.guard if diagnosis else None,
        judged_at=diagnosis.judged_at if diagnosis else None,
        verdict=diagnosis.verdict.value if diagnosis else None,
        reasons=_reasons(diagnosis),
        incidents=incidents,
        versions=versions,
    )


def _begin(steps: int, count: int, focus: int | None, incidents: Sequence[Incident]) -> int:
    wanted = focus if focus is not None else incidents[0].onset if incidents else 0
    if steps <= count or wanted < count:
        return 0
    return max(0, min(wanted - count // 2, steps - count))


def _quotes(index: int, incidents: Sequence[Incident]) -> list[str]:
    evidence = [item for incident in incidents for item in incident.evidence]
    return [item.quote for item in evidence if item.quote and index in (item.step, item.source_step)]


def _profiles(run: Trajectory, clip: int) -> dict[str, Agent]:
    return {
        name: msgspec.structs.replace(
            agent,
            system=agent.system if agent.system is None or len(agent.system) <= clip else agent.system[:clip] + "…",
            tools=tuple(msgspec.structs.replace(tool, parameters=None) for tool in agent.tools[:200]),
        )
        for name, agent in run.agents.items()
    }


def _outlined(step: Step, judged: StepVerdict | None) -> Outlined:
    name = ", ".join(call.name for call in step.tool_calls)[:60] or step.name or ""
    verdict = judged.verdict if judged else None
    return Outlined(
        role=step.role,
        outcome=verdict.outcome.value if verdict else None,
        p_unsafe=verdict.p_unsafe if verdict else None,
        name=name,
    )


def _reasons(diagnosis: Diagnosis | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for step in diagnosis.steps if diagnosis else ():
        if step.verdict.reason:
            counts[step.verdict.reason.value] = counts.get(step.verdict.reason.value, 0) + 1
    return counts
