"""Lists in another order than the start's: whole, page by page, filtered, after changes, after an earlier release."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentdog.base.errors import UsageError
from agentdog.guards import Outcome
from agentdog.store import keys, listing, ordering
from agentdog.store.contract import Order, Query, Sort, Summary
from agentdog.store.redis_store import RedisStore
from tests.support.records import diagnosis, trajectory

#: Runs by name: P(unsafe), number of steps, minute in which they begin; two are equal in all but the start.
RUNS: dict[str, tuple[float | None, int, int]] = {
    "t0": (0.2, 2, 0),
    "t1": (0.9, 2, 1),
    "t2": (0.2, 3, 2),
    "t3": (None, 4, 3),
    "t4": (0.200002, 2, 4),
    "t5": (1.0, 5, 5),
    "t6": (0.2, 2, 6),
}


async def _put(store: RedisStore) -> None:
    for at, (name, (p, steps, minute)) in enumerate(RUNS.items()):
        made = trajectory(name, minute=minute, project=f"p{at % 2}", tool="send" if at < 4 else "read")
        more = [msgspec.structs.replace(made.steps[1], id=f"{name}-{n}", index=n) for n in range(2, steps)]
        made = msgspec.structs.replace(made, steps=(*made.steps, *more))
        await store.save_trajectory(made, [])
        if p is not None:
            told = diagnosis(made, Outcome.UNSAFE if p > 0.5 else Outcome.SAFE)
            await store.save_diagnosis(made.project, msgspec.structs.replace(told, p_unsafe=p))


async def _ids(store: RedisStore, limit: int = 2, **filters: Any) -> list[str]:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await store.list(Query(limit=limit, cursor=cursor, **filters))
        seen += [each.id for each in page.items]
        if page.next is None:
            return seen
        cursor = page.next


@pytest.mark.parametrize("many", [1, 5000])
def test_pages_cover_every_run_once_in_each_order(with_store: Any, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(listing, "_MANY", many)  # with 1 nothing is few: the order's own index is read
    monkeypatch.setattr(listing, "_CHUNK", 2)

    async def scenario(store: RedisStore) -> None:
        await _put(store)
        assert await _ids(store, sort="p_unsafe") == ["t5", "t1", "t4", "t6", "t2", "t0", "t3"]
        assert await _ids(store, sort="p_unsafe", order="lowest") == ["t3", "t0", "t2", "t6", "t4", "t1", "t5"]
        assert await _ids(store, sort="steps", order="highest") == ["t5", "t3", "t2", "t6", "t4", "t1", "t0"]
        assert await _ids(store, sort="p_unsafe", project="p0") == ["t4", "t6", "t2", "t0"]
        assert await _ids(store, sort="p_unsafe", verdict="unsafe", tool="read") == ["t5"]
        assert await _ids(store, sort="p_unsafe", verdict="safe", tool="send") == ["t2", "t0"]
        assert await _ids(store, sort="p_unsafe", tool="nothing") == []
        span: dict[str, Any] = {"since": "2026-01-01T00:01:00Z", "until": "2026-01-01T00:04:00Z"}
        assert await _ids(store, sort="p_unsafe", **span) == ["t1", "t4", "t2", "t3"]
        assert await _ids(store, sort="p_unsafe", tool="send", **span) == ["t1", "t2", "t3"]

    with_store(scenario)


def test_a_run_moves_when_it_is_judged_and_leaves_when_it_is_deleted(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        made = trajectory("t1")
        await store.save_trajectory(made, [])
        await store.save_trajectory(trajectory("t2", minute=1), [])
        assert await _ids(store, sort="p_unsafe") == ["t2", "t1"]
        await store.save_diagnosis("p", diagnosis(made))
        assert await _ids(store, sort="p_unsafe") == ["t1", "t2"]
        await store._listing.put("p", "t1", None)
        assert await _ids(store, sort="p_unsafe") == ["t2"]
        for each in ordering.FACETS:
            assert await store._link.one("ZRANGE", keys.index("p", each), 0, -1) == [b"t2"]

    with_store(scenario)


def test_runs_that_an_earlier_release_stored_get_their_places(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        await _put(store)
        whole = await _ids(store, sort="steps")
        for project in ("p0", "p1"):
            await store._link.many([("DEL", keys.index(project, each)) for each in ordering.FACETS])
        await store._link.one("SET", keys.INDEXED, "open")
        assert await _ids(store, sort="steps") == []
        assert await store.reindex() == len(RUNS)
        assert await _ids(store, sort="steps") == whole
        assert await store.reindex() == 0

    with_store(scenario)


@pytest.mark.parametrize(("gave", "wanted"), [("start", "steps"), ("steps", "start"), ("steps", "p_unsafe")])
def test_a_cursor_is_good_for_its_own_order_only(with_store: Any, gave: Sort, wanted: Sort) -> None:
    async def scenario(store: RedisStore) -> None:
        await _put(store)
        cursor = (await store.list(Query(limit=1, sort=gave))).next
        with pytest.raises(UsageError, match="cursor"):
            await store.list(Query(limit=1, sort=wanted, cursor=cursor))

    with_store(scenario)


@pytest.mark.parametrize(
    ("order", "first"), [("highest", True), ("newest", True), ("lowest", False), ("oldest", False)]
)
def test_both_words_for_an_end_mean_the_same(order: Order, first: bool) -> None:
    assert Query(order=order).descending is first


def test_places_keep_every_order_that_matters() -> None:
    base = Summary(
        id="a", project="p", title="", agents=(), verdict="safe", incidents=0, steps=3, completion="final",
        start_time="2026-01-01T00:00:00Z", end_time="2026-01-01T00:00:01Z", updated_at="2026-01-01T00:00:00Z",
    )  # fmt: skip

    def place(sort: Sort, **changes: Any) -> int:
        return ordering.places(msgspec.structs.replace(base, **changes))[ordering.facet_of(sort)]

    assert place("p_unsafe", p_unsafe=None) < place("p_unsafe", p_unsafe=0.0) < place("p_unsafe", p_unsafe=1e-6)
    assert place("p_unsafe", p_unsafe=1.0) < 1 << 53
    assert place("steps", steps=10**9) < 1 << 53
    ends = ["2026-01-01T00:00:01Z", "2026-01-01T00:00:01.001Z", "2026-01-01T09:00:00Z", "2026-01-01T09:00:01Z"]
    placed = [place("duration", end_time=end) for end in ends]
    assert placed == sorted(set(placed))
    assert place("duration", end_time="2099-01-01T00:00:00Z") < 1 << 53
    assert place("duration", end_time="2025-01-01T00:00:00Z") >= 0, "clocks of two machines may disagree"
