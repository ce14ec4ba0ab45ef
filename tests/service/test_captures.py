"""Recordings of real instrumentations through store and worker: the same trajectories as from the files at once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from agentdog.service.settings import load_settings
from agentdog.service.worker import Worker
from agentdog.spans import reconstruct
from agentdog.spans.otlp import PROTOBUF, decode_logs, decode_traces
from agentdog.spans.records import Decoded
from agentdog.store.contract import Query, Work
from agentdog.store.redis_store import RedisStore
from agentdog.trajectory import Trajectory
from tests.support.stores import play
from tests.support.waiting import PATIENCE_S

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
SCENARIOS = sorted(path.parent for path in CAPTURES.glob("*/*/expected.json"))
SEED = 7
#: Quick to play, and of every kind: span attributes, span events, log records, logs without traces, a session of many.
QUICK = {"openai-agents-openinference", "openai-v2.latest-experimental", "openai-v2.legacy-events", "codex-logs"}


def batches(folder: Path) -> list[Decoded]:
    found = []
    for path in sorted(folder.glob("*.pb")):
        decode = decode_logs if path.stem.endswith("logs") else decode_traces
        found.append(decode(path.read_bytes(), PROTOBUF))
    return found


def corpora() -> list[Any]:
    names = sorted({folder.parent.name for folder in SCENARIOS}) or [""]
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


async def agree(work: Work) -> None:
    """Judges nothing."""


def comparable(trajectories: list[Trajectory]) -> dict[str, Any]:
    return {
        t.id: (t.digest, t.session_id, [(s.id, s.role, s.text, s.tool_calls) for s in t.steps]) for t in trajectories
    }


async def stored(store: RedisStore, project: str) -> list[Trajectory]:
    found = []
    for summary in (await store.list(Query(project=project, limit=1000))).items:
        row = await store.get(summary.id, project)
        assert row is not None
        found.append(row.trajectory)
    return found


@pytest.mark.skipif(not SCENARIOS, reason="the recordings lie beside the repository, and are not there")
@pytest.mark.parametrize("corpus", corpora())
def test_a_recording_in_any_order_and_thrice_is_the_same_trajectories(server_url: str, corpus: str) -> None:
    chance = random.Random(SEED)

    async def scenario(store: RedisStore) -> None:
        folders = [folder for folder in SCENARIOS if folder.parent.name == corpus]
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(Worker(store, agree, load_settings(), name="w").run(stop))
            for folder in folders:
                shuffled = batches(folder) * 3
                chance.shuffle(shuffled)
                for batch in shuffled:
                    await store.append(folder.name, batch)
            async with asyncio.timeout(PATIENCE_S):
                while await store.depth():  # noqa: ASYNC110 - what is waited for lies in another process
                    await asyncio.sleep(0.02)
            stop.set()
        assert await store.dead_letters() == ()
        for folder in folders:
            once = [record for batch in batches(folder) for record in batch.records]
            assert comparable(await stored(store, folder.name)) == comparable(reconstruct(once, project=folder.name))

    play(server_url, scenario)
