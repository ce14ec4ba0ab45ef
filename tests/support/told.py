"""Runs as telemetry: steps become the spans that would have told them, and are woven and judged for real."""

from __future__ import annotations

import asyncio

import msgspec

from agentdog.guards import Guard
from agentdog.service.judging import Judging
from agentdog.service.settings import load_settings
from agentdog.service.worker import Worker
from agentdog.spans.records import Span
from agentdog.spans.retell import retell
from agentdog.store.contract import Query
from agentdog.store.redis_store import RedisStore
from agentdog.trajectory import Agent, Step, Trajectory
from tests.support.waiting import PATIENCE_S


def run_of(*steps: Step, name: str = "told", **attributes: str) -> list[Span]:
    """The spans that a run of these steps would have sent, each with these attributes as well."""
    numbered = tuple(msgspec.structs.replace(step, id=str(i), index=i) for i, step in enumerate(steps))
    told = Trajectory(
        id=name,
        digest=name,
        project="p",
        agents={"": Agent(system="You help.")},
        completion="final",
        missing=(),
        scopes=(),
        steps=numbered,
    )
    spans = retell(told, undated_ns=1_700_000_000_000_000_000)
    return [msgspec.structs.replace(span, attributes=span.attributes | attributes) for span in spans]


async def judged(store: RedisStore, guard: Guard, clock: object = None) -> None:
    """Weaves and judges all that waits."""
    stop = asyncio.Event()
    settings = load_settings()

    async def settled() -> bool:
        listed = await store.list(Query(limit=200))
        return await store.depth() == 0 and all(item.verdict != "pending" for item in listed.items)

    async with asyncio.TaskGroup() as group:
        worker = Worker(store, Judging(store, guard, settings), settings, name="w", memory=store.memory)
        group.create_task(worker.run(stop))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await settled():  # noqa: ASYNC110 - the condition lies in another process
                    await asyncio.sleep(0.02)
        finally:
            stop.set()
