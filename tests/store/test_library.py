from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentdog.base.errors import UsageError
from agentdog.guards import Outcome, Verdict
from agentdog.store import keys
from agentdog.store.contract import Query
from agentdog.store.redis_store import RedisStore
from tests.support.records import diagnosis, trajectory


def test_a_trajectory_is_found_by_every_id(with_store: Any) -> None:
    made = trajectory("t1")

    async def scenario(store: RedisStore) -> None:
        assert await store.save_trajectory(made, ["trace-a", "c1"])
        for any_id in ("t1", "trace-a", "c1"):
            for project in ("p", None):
                found = await store.get(any_id, project)
                assert found is not None
                assert found.trajectory == made
                assert found.summary.verdict == "pending"
        assert await store.get("nothing") is None
        assert await store.get("t1", "other") is None

    with_store(scenario)


def test_the_same_version_is_saved_once(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        assert await store.save_trajectory(trajectory("t1"), [], records=2)
        assert not await store.save_trajectory(trajectory("t1"), [], records=2)
        over = msgspec.structs.replace(trajectory("t1"), completion="idle")
        assert await store.save_trajectory(over, [], records=2)
        assert (await store.list(Query())).items[0].completion == "idle"

    with_store(scenario)


def test_a_version_of_fewer_records_never_replaces_one_of_more(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        assert await store.save_trajectory(trajectory("t1", digest="new"), [], records=5)
        assert not await store.save_trajectory(trajectory("t1", digest="old"), [], records=4)
        found = await store.get("t1")
        assert found is not None
        assert found.trajectory.digest == "new"

    with_store(scenario)


def test_what_was_woven_of_less_and_comes_after_it_was_taken_in_stays_away(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(trajectory("whole", digest="both"), ["part", "trace-part"], records=2)
        assert not await store.save_trajectory(trajectory("part"), ["trace-part"], records=1)
        assert [s.id for s in (await store.list(Query())).items] == ["whole"]
        for any_id in ("part", "trace-part", "whole"):
            found = await store.get(any_id)
            assert found is not None
            assert found.trajectory.id == "whole"
        # More came, and it turned out to be a run of its own.
        assert await store.save_trajectory(trajectory("part", digest="more"), ["trace-part"], records=3)
        assert {s.id for s in (await store.list(Query())).items} == {"part", "whole"}

    with_store(scenario)


def test_a_trajectory_that_is_taken_in_leaves_the_list_and_leads_on(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(trajectory("late"), ["trace-late"], records=1)
        await store.save_trajectory(trajectory("early", digest="both"), ["late", "trace-late"], records=2)
        assert [s.id for s in (await store.list(Query())).items] == ["early"]
        for any_id in ("late", "trace-late", "early"):
            found = await store.get(any_id)
            assert found is not None
            assert found.trajectory.id == "early"
        # A worker that gathered before the join comes too late and brings nothing back.
        assert not await store.save_trajectory(trajectory("late"), ["trace-late"], records=1)
        assert [s.id for s in (await store.list(Query())).items] == ["early"]

    with_store(scenario)


def test_a_diagnosis_is_kept_only_for_the_version_that_it_judged(with_store: Any) -> None:
    first, second = trajectory("t1", digest="d1"), trajectory("t1", digest="d2")

    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(first, [], records=1)
        await store.save_trajectory(second, [], records=2)
        assert not await store.save_diagnosis("p", diagnosis(first))
        assert await store.save_diagnosis("p", diagnosis(second))
        found = await store.get("t1")
        assert found is not None
        assert found.diagnosis == diagnosis(second)
        summary = found.summary
        assert (summary.verdict, summary.incidents, summary.p_unsafe) == ("unsafe", 1, 0.9)
        assert summary.risk_source == "indirect_prompt_injection"

    with_store(scenario)


@pytest.mark.parametrize(("outcome", "shown"), [(Outcome.SAFE, "pending"), (Outcome.UNSAFE, "unsafe")])
def test_new_steps_make_safe_pending_but_unsafe_stays(with_store: Any, outcome: Outcome, shown: str) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(trajectory("t1", digest="d1"), [], records=1)
        await store.save_diagnosis("p", diagnosis(trajectory("t1", digest="d1"), outcome))
        await store.save_trajectory(trajectory("t1", digest="d2"), [], records=2)
        (summary,) = (await store.list(Query())).items
        assert summary.verdict == shown
        assert [s.id for s in (await store.list(Query(verdict=summary.verdict))).items] == ["t1"]

    with_store(scenario)


def test_lists_filter_by_every_facet_and_by_time(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        for number, tool in enumerate(["send", "send", "read"]):
            made = trajectory(f"t{number}", minute=number, tool=tool)
            await store.save_trajectory(made, [])
            await store.save_diagnosis("p", diagnosis(made, Outcome.UNSAFE if number != 1 else Outcome.SAFE))
        await store.save_trajectory(trajectory("other", project="q"), [])

        async def ids(**filters: Any) -> list[str]:
            return [s.id for s in (await store.list(Query(**filters))).items]

        assert await ids(project="p") == ["t2", "t1", "t0"]
        assert await ids() == ["t2", "t1", "other", "t0"]
        assert await ids(verdict="unsafe") == ["t2", "t0"]
        assert await ids(verdict="unsafe", tool="send") == ["t0"]
        assert await ids(risk_source="indirect_prompt_injection", project="p") == ["t2", "t0"]
        assert await ids(agent="helper", verdict="safe") == ["t1"]
        assert await ids(tool="nothing") == []
        assert await ids(project="p", since="2026-01-01T00:01:00Z") == ["t2", "t1"]
        assert await ids(project="p", until="2026-01-01T00:01:00Z") == ["t1", "t0"]
        assert await store.projects() == {
            "p": {"safe": 1, "unsafe": 2, "not_evaluated": 0, "pending": 0},
            "q": {"safe": 0, "unsafe": 0, "not_evaluated": 0, "pending": 1},
        }

    with_store(scenario)


def test_runs_that_were_stored_before_the_index_of_open_incidents_are_found_by_it(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        made = trajectory("t1")
        await store.save_trajectory(made, [])
        await store.save_diagnosis("p", diagnosis(made))
        await store.save_trajectory(trajectory("t2", minute=1), [])
        await store.save_diagnosis("p", diagnosis(trajectory("t2", minute=1), Outcome.SAFE))
        await _as_an_earlier_release_left_it(store, "p", "t1")
        assert (await store.list(Query(open="yes"))).items == ()
        assert await store.reindex() == 2, "every run is looked at"
        (found,) = (await store.list(Query(open="yes"))).items
        assert (found.id, found.open) == ("t1", 1)
        assert await store.reindex() == 0, "once is enough"

    with_store(scenario)


async def _as_an_earlier_release_left_it(store: RedisStore, project: str, run: str) -> None:
    """Takes out of the row, the overlay and the indexes what did not exist then."""
    link = store._link
    await link.one("ZREM", keys.index(project, "open=yes"), run)
    row = msgspec.json.decode(await link.one("HGET", keys.rows(project), run))
    row["facets"].remove("open=yes")
    del row["summary"]["open"]
    overlay = msgspec.json.decode(await link.one("HGET", keys.trajectory(project, run), "overlay"))
    del overlay["open"]
    await link.one("HSET", keys.rows(project), run, msgspec.json.encode(row))
    await link.one("HSET", keys.trajectory(project, run), "overlay", msgspec.json.encode(overlay))


def test_pages_cover_all_rows_once_even_where_times_are_equal(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        for number in range(23):
            await store.save_trajectory(trajectory(f"t{number}", minute=number // 10, project=f"p{number % 2}"), [])
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await store.list(Query(limit=5, cursor=cursor))
            seen += [s.id for s in page.items]
            if page.next is None:
                break
            cursor = page.next
        assert len(seen) == 23
        assert set(seen) == {f"t{n}" for n in range(23)}

    with_store(scenario)


@pytest.mark.parametrize("query", [Query(cursor="!"), Query(cursor="bm8"), Query(project="p", since="yesterday")])
def test_a_query_that_cannot_be_read_says_which_field(with_store: Any, query: Query) -> None:
    async def scenario(store: RedisStore) -> None:
        with pytest.raises(UsageError, match=r"cursor|since"):
            await store.list(query)

    with_store(scenario)


def test_verdicts_are_remembered_by_project_guard_and_prefix(with_store: Any) -> None:
    verdict = Verdict(outcome=Outcome.SAFE, guard="g", p_unsafe=0.25)

    async def scenario(store: RedisStore) -> None:
        await store.save_verdicts("p", "g", {"k1": verdict})
        assert await store.verdicts("p", "g", ["k0", "k1"]) == {"k1": verdict}
        assert await store.verdicts("p", "other", ["k1"]) == {}
        assert await store.verdicts("q", "g", ["k1"]) == {}
        assert await store.verdicts("p", "g", []) == {}

    with_store(scenario)


def test_the_feed_tells_each_change_once_and_each_incident_once(with_store: Any) -> None:
    made = trajectory("t1")

    async def scenario(store: RedisStore) -> None:
        start = await store.feed(None)
        assert start.events == ()
        await store.save_trajectory(made, [])
        await store.save_trajectory(made, [])
        again = msgspec.structs.replace(diagnosis(made), judged_at="2026-01-01T00:00:09.000000000Z")
        assert await store.save_diagnosis("p", diagnosis(made))
        assert await store.save_diagnosis("p", again)
        first = await store.feed(start.cursor, limit=2)
        rest = await store.feed(first.cursor)
        kinds = [e.type for e in first.events + rest.events]
        assert kinds == ["trajectory.updated", "diagnosis.updated", "incident.opened"]
        assert [e.verdict for e in first.events] == ["pending", "unsafe"]
        assert (await store.feed(rest.cursor)).events == ()
        assert await store.feed("0") == await store.feed("0-0")
        assert [e.type for e in (await store.feed("0")).events] == kinds
        for wrong in ("yesterday", "-1", "1-", "18446744073709551616", "0-18446744073709551616", "\u0663"):
            with pytest.raises(UsageError, match="since"):
                await store.feed(wrong)

    with_store(scenario)


def test_the_server_says_how_durable_it_is(with_store: Any) -> None:
    async def scenario(store: RedisStore) -> None:
        said = await store.ping()
        assert said["server"] in ("valkey", "redis"), "the bundled server, or the distribution's"
        assert (said["aof_enabled"], said["appendfsync"]) == (True, "everysec")
        assert said["maxmemory_policy"] == "noeviction"

    with_store(scenario)
