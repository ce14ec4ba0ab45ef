"""``POST /api/v1/playground``: a document is judged step by step and shown as a stored run would be; nothing is kept.

Invariants: what is pasted passes redaction before a guard sees it; size, steps, time and how many are judged at once
are bounded; nothing is written anywhere but to the audit log, which holds no content; others are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
import time
from pathlib import Path
from typing import Literal

import msgspec
from fastapi import APIRouter, Request, Response

from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.base.errors import AgentDogError, DecodeError, Overloaded, UsageError
from agentdog.diagnosis import Diagnosis
from agentdog.diagnosis.cache import MemoryCache
from agentdog.diagnosis.engine import diagnose
from agentdog.guards import Guard, Labels, Verdict
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.learned import LearnedGuard
from agentdog.service.api import bodies
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import note
from agentdog.service.api.origins import Flow, flows_of
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.views import MOST_STEPS, View, ViewFilter, view_of
from agentdog.service.redaction import Redactor
from agentdog.spans import reconstruct
from agentdog.spans.document import KNOWN, load
from agentdog.store.contract import Stored
from agentdog.store.rows import base_of, overlay_of, summarise
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats import Case

MOST_BYTES = 4 << 20
MOST_RUNS = 10
DEADLINE_S = 60.0
_AT_ONCE = 2
_GZIP = b"\x1f\x8b"
#: Characters of one text that are answered; a page asks for no more, as nothing is kept to be asked again.
_CLIP = 50_000
#: Calls whose values are all traced; tracing one reads everything before it.
_TRACED = 60


class Pasted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body: a document as text, or its bytes in base64 (recorded OTLP is binary)."""

    content: str
    encoding: Literal["text", "base64"] = "text"


class Annotated(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the document's own annotators say: 1 unsafe, 0 safe, and labels as written there."""

    label: int | None = None
    labels: Labels = Labels()
    unsafe_step: int | None = None


class Judged(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One run of the document: as a page shows a stored one, with the ways of its values by step index."""

    view: View
    flows: dict[int, tuple[Flow, ...]]
    annotated: Annotated | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a document holds; `format` is what it was taken for, `runs` are the first of `total`."""

    format: str
    total: int
    runs: tuple[Judged, ...]


def build(guard: Guard, redactor: Redactor | None = None, clock: Clock | None = None) -> APIRouter:
    """Builds the route over the guard that judges."""
    router = APIRouter(route_class=ApiRoute, tags=["playground"])
    free = asyncio.Semaphore(_AT_ONCE)
    now = clock or SystemClock()

    @router.post(
        "/playground",
        summary="Judge a document step by step, and keep nothing of it",
        response_class=Response,
        responses=documented(Answer, f"At most {MOST_RUNS} runs of at most {MOST_STEPS} steps."),
        openapi_extra=bodies.documented(Pasted),
    )
    async def judge(request: Request) -> Response:
        try:
            pasted = await bodies.read(request, Pasted, 2 * MOST_BYTES)
        except bodies.Refused as refused:
            return refused.response
        if free.locked():
            raise Overloaded(f"{_AT_ONCE} documents are being judged already")
        async with free:
            form, cases = await asyncio.to_thread(_read, _bytes(pasted), pasted.encoding == "text")
            first = [await asyncio.to_thread(_clean, case, redactor) for case in cases[:MOST_RUNS]]
            await note("playground", subject=f"{form}, {len(cases)} runs")
            until = time.monotonic() + DEADLINE_S
            try:
                runs = [await _judged(case, guard, rfc3339(now.now_ns()), until) for case in first]
            except TimeoutError:
                raise Overloaded(
                    f"the guard took longer than {DEADLINE_S:.0f} s; give it fewer steps, or run `agentdog judge`"
                ) from None
        return reply(Answer(format=form, total=len(cases), runs=tuple(runs)))

    return router


def _bytes(pasted: Pasted) -> bytes:
    if pasted.encoding == "text":
        raw = pasted.content.encode("utf-8", "replace")
    else:
        try:
            raw = base64.b64decode(pasted.content, validate=True)
        except ValueError as error:  # binascii.Error is one
            raise UsageError(f"content: no base64 ({error})") from error
    if len(raw) > MOST_BYTES:
        raise UsageError(
            f"content: {len(raw):,} bytes; at most {MOST_BYTES:,} are judged here, `agentdog judge` takes more"
        )
    if raw.startswith(_GZIP):
        raise UsageError("content: packed with gzip; unpack it first")
    if not raw.strip():
        raise UsageError("content: it is empty; paste a chat, OTLP or an ATBench row")
    return raw


def _read(raw: bytes, is_text: bool) -> tuple[str, list[Case]]:
    """Returns what the document was taken for and its runs; raises `UsageError` when it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="ad-") as folder:
        path = Path(folder) / ("document.json" if is_text else "document")
        path.write_bytes(raw)
        try:
            found = load(path)
        except (DecodeError, RecursionError) as error:
            told = isinstance(error, AgentDogError)
            words = str(error).replace(f"{path}: ", "").replace(str(path), "the document") if told else "nests too deep"
            raise UsageError(f"content: {words}") from error
        if found is None:
            raise UsageError(f"content: in no known format; known are {KNOWN}")
        cases = list(found.cases) or [
            Case(trajectory=each, group=each.id, source=found.tool) for each in reconstruct(found.records)
        ]
    held = [case for case in cases if case.trajectory.steps]
    if not held:
        raise UsageError(f"content: {found.tool}, but no run of an agent is in it")
    longest = max(len(case.trajectory.steps) for case in held[:MOST_RUNS])
    if longest > MOST_STEPS:
        raise UsageError(f"content: a run of {longest} steps; at most {MOST_STEPS} are judged here")
    return found.tool, held


def _clean(case: Case, redactor: Redactor | None) -> Case:
    if redactor is None:
        return case
    return msgspec.structs.replace(case, trajectory=redactor.struct(case.trajectory))


async def _judged(case: Case, guard: Guard, at: str, until: float) -> Judged:
    run = case.trajectory
    if isinstance(guard, EmbeddedGuard | LearnedGuard):
        # A guard that computes here waits for nothing: a loop of its own, in a thread, leaves this one to others.
        diagnosis = await asyncio.to_thread(lambda: asyncio.run(_diagnosed(run, guard, until)))
    else:
        diagnosis = await _diagnosed(run, guard, until)
    summary = summarise(base_of(run, at), overlay_of(diagnosis, complete=True), at)
    stored = Stored(summary=summary, trajectory=run, diagnosis=diagnosis)
    return Judged(
        view=view_of(stored, ViewFilter(first=0, count=MOST_STEPS, clip=_CLIP), None, ()),
        flows=await asyncio.to_thread(_flows, run, [incident.onset for incident in diagnosis.incidents]),
        annotated=_annotated(case),
    )


class _Breathing(MemoryCache):
    """Lets others have the loop after each verdict, and its deadline be seen, however little a guard waits itself."""

    async def put(self, guard: str, key: str, verdict: Verdict) -> None:
        """Keeps one verdict."""
        await super().put(guard, key, verdict)
        await asyncio.sleep(0)


async def _diagnosed(run: Trajectory, guard: Guard, until: float) -> Diagnosis:
    """Judges a run; raises `TimeoutError` at `until` by `time.monotonic`."""
    async with asyncio.timeout(until - time.monotonic()):
        return await diagnose(run, guard, cache=_Breathing())


def _flows(run: Trajectory, onsets: list[int]) -> dict[int, tuple[Flow, ...]]:
    """The ways of every call's values; in a run of many calls, of those that went wrong."""
    calling = [step.index for step in run.steps if step.tool_calls]
    wanted = calling if len(calling) <= _TRACED else [index for index in onsets if index in calling]
    return {index: flows_of(run, index) for index in wanted}


def _annotated(case: Case) -> Annotated | None:
    gold = case.gold
    if case.label is None and case.unsafe_step is None:
        return None
    labels = Labels(risk_source=gold.risk_source, failure_mode=gold.failure_mode, real_world_harm=gold.real_world_harm)
    return Annotated(label=case.label, labels=labels, unsafe_step=case.unsafe_step)
