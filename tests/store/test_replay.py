"""Every capture, three times over and in any order, through a real store and worker: the same trajectories."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentdog.service.worker import Worker
from agentdog.spans import IDLE_NS, reconstruct
from agentdog.spans.records import Decoded, Record
from agentdog.store.contract import Query, Work
from agentdog.store.redis_store import RedisStore
from tests.service.test_worker import tuned
from tests.spans.compare import CAPTURES, SHARED, load, scenarios

SEED = 20261126
_TIMES, _SLICE = 3, 7


async def _nobody(_work: Work) -> None:
    pass


async def _woven(store: RedisStore, batches_of: list[tuple[Record, ...]], project: str) -> list[bytes]:
    """Appends batches and weaves what waits after each third of them, as a worker beside a receiver does."""
    worker = Worker(store, _nobody, tuned(), name="w")
    for at, each in enumerate(batches_of):
        await store.append(project, Decoded(records=each))
        if at % (len(batches_of) // 3 + 1) == 0 or at == len(batches_of) - 1:
            while work := await store.claim("w", count=16, block_ms=1):
                for unit in work:
                    await worker.weave(unit)
                await store.done(work)
    found = []
    for row in (await store.list(Query(project=project, limit=500))).items:
        stored = await store.get(row.id, project)
        assert stored is not None
        found.append(msgspec.json.encode(stored.trajectory))
    return sorted(found)


async def _same(store: RedisStore, folder: Path, project: str) -> None:
    records = load(folder)
    once = reconstruct(records, project=project, now_ns=time.time_ns(), idle_ns=IDLE_NS)
    pieces = records * _TIMES
    random.Random(f"{SEED}{project}").shuffle(pieces)
    shuffled = [tuple(pieces[at : at + _SLICE]) for at in range(0, len(pieces), _SLICE)]
    assert await _woven(store, shuffled, project) == sorted(msgspec.json.encode(each) for each in once)
    counts = (await store.accounting())[project]
    assert counts["stored"] == len({record.id for record in pieces})
    assert (counts["received"], counts["pending"]) == (len(pieces), 0)


def _play(with_store: Any, root: Path, names: list[str]) -> None:
    async def scenario(store: RedisStore) -> None:
        for name in names:
            await _same(store, root / name, name.replace("/", "-"))

    with_store(scenario)


def test_own_captures_replayed_three_times_in_any_order_are_the_same(with_store: Any) -> None:
    _play(with_store, CAPTURES, random.Random(SEED).sample(scenarios(CAPTURES), 8))


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the other recordings are not part of a clone")
def test_all_captures_replayed_three_times_in_any_order_are_the_same(with_store: Any) -> None:
    _play(with_store, SHARED, scenarios(SHARED))
