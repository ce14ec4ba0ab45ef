"""What an earlier version stored is read by this one, and its unfinished work is done; see docs/versions.md."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentdog.guards import factory
from agentdog.store.contract import Query
from tests.support.store_dump import restore
from tests.support.stores import running_server, store_at
from tests.support.told import judged

RELEASED = sorted((Path(__file__).parents[1] / "data" / "released").glob("store-*.json.gz"))


@pytest.mark.parametrize("written", RELEASED, ids=lambda path: path.name.removesuffix(".json.gz"))
def test_a_store_of_an_earlier_version_is_read_and_worked_on(written: Path) -> None:
    dumped = written.read_bytes()

    async def read(url: str) -> None:
        await restore(url, dumped)
        store, guard = store_at(url), factory.build("embedded")
        try:
            before = await store.list(Query(project="p", limit=50))
            assert {item.verdict for item in before.items} >= {"safe", "unsafe"}
            assert [token.name for token in (await store.tokens()).values()] == ["old"]
            assert await store.sample(100)
            await judged(store, guard)  # the run that the earlier version had received, but not woven
            after = await store.list(Query(project="p", limit=50))
            assert len(after.items) == len(before.items) + 1
            for item in after.items:
                stored = await store.get(item.id, "p")
                assert stored is not None and stored.trajectory.steps and stored.diagnosis is not None
            (counts,) = (counts for name, counts in (await store.accounting()).items() if name == "p")
            assert counts["received"] == counts["stored"] + counts["duplicate"] + counts["rejected"]
            assert counts["rejected"] == 1
        finally:
            await guard.close()
            await store.close()

    with running_server() as server:
        asyncio.run(read(server.url))
