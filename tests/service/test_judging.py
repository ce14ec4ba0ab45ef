from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from agentdog.base.clock import parse_rfc3339
from agentdog.guards import GuardInfo, Outcome, Reason, Verdict
from agentdog.guards.protocol import GuardSession, Health
from agentdog.service.judging import Judging
from agentdog.service.settings import load_settings
from agentdog.store import keys
from agentdog.store.contract import Query, Work
from agentdog.store.redis_store import RedisStore
from agentdog.trajectory import Header, Step, Trajectory
from tests.support.clocks import HandClock
from tests.support.records import trajectory
from tests.support.stores import play
from tests.support.waiting import PATIENCE_S

SAFE = Verdict(outcome=Outcome.SAFE, guard="f00d", p_unsafe=0.1)
UNSAFE = Verdict(outcome=Outcome.UNSAFE, guard="f00d", p_unsafe=0.9)
GONE = Verdict(outcome=Outcome.NOT_EVALUATED, guard="f00d", reason=Reason.GUARD_UNREACHABLE)


class ScriptedGuard:
    """Gives its verdicts in order; `asked` counts, `gate` holds the one after the first back."""

    info = GuardInfo(name="scripted", uri="scripted", fingerprint="f00d")

    def __init__(self, verdicts: Sequence[Verdict], gate: asyncio.Event | None = None) -> None:
        self.verdicts = list(verdicts)
        self.gate = gate
        self.asked = 0

    def open(self, header: Header) -> GuardSession:
        return _Session(self)

    async def health(self) -> Health:
        return Health(ok=True, detail="scripted")

    async def close(self) -> None:
        pass


class _Session:
    def __init__(self, guard: ScriptedGuard) -> None:
        self._guard = guard

    def extend(self, step: Step) -> None:
        pass

    async def verdict(self) -> Verdict:
        guard = self._guard
        if guard.asked and guard.gate is not None:
            await guard.gate.wait()
        guard.asked += 1
        return guard.verdicts[min(guard.asked, len(guard.verdicts)) - 1]


def three_turns(digest: str = "d1") -> Trajectory:
    base = trajectory("t1", digest=digest)
    turns = [
        Step(id=f"a{n}", index=n, role="agent", content=str(n), start_time=base.steps[0].start_time, sources=("s",))
        for n in (1, 2, 3)
    ]
    return Trajectory(
        id="t1", digest=digest, project="p", agents={}, completion="open", missing=(), scopes=(),
        steps=(base.steps[0], *turns),
    )  # fmt: skip


WORK = Work(project="p", unit="t1", token="0/0-0", lane="judge")


def judging(store: RedisStore, guard: ScriptedGuard, **options: Any) -> Judging:
    return Judging(store, guard, load_settings(guard={"retry_for_s": 60}), progress_s=0, **options)


async def due(store: RedisStore) -> bool:
    """Whether the trajectory is to be looked at again; forgets it."""
    found = await store._link.one("ZRANGE", keys.due("judge"), 0, -1)
    await store._link.one("DEL", keys.due("judge"))
    return bool(found)


def test_the_same_prefix_is_never_asked_twice(server_url: str) -> None:
    guard = ScriptedGuard([SAFE])

    async def scenario(store: RedisStore) -> None:
        for digest in ("d1", "d2"):
            made = three_turns(digest)
            await store.save_trajectory(made, [], records=1)
            await judging(store, guard)(WORK)
            assert not await due(store)
        assert guard.asked == 3
        assert (await store.list(Query())).items[0].verdict == "safe"

    play(server_url, scenario)


def test_runs_that_were_put_off_themselves_are_nobody_to_wait_for(server_url: str) -> None:
    guard = ScriptedGuard([SAFE])
    guard.info = msgspec.structs.replace(guard.info, served=True)

    async def scenario(store: RedisStore) -> None:
        runs = [msgspec.structs.replace(three_turns(), id=f"t{n}", project=f"p{n}") for n in range(3)]
        for made in runs:
            await store.save_trajectory(made, [], records=1)
        judge = Judging(store, guard, load_settings(worker={"judging": 1}), progress_s=0)

        async def looked(number: int) -> int:
            before, judge._crowd = guard.asked, (-math.inf, False)  # as if it were a while later
            await judge(Work(project=f"p{number}", unit=f"t{number}", token="0/0-0", lane="judge"))
            return guard.asked - before

        assert [await looked(number) for number in (0, 1)] == [1, 1], (
            "the newest prefix, while others have not even that"
        )
        assert await looked(2) == 3, "all the others were put off for its sake"

    play(server_url, scenario)


def test_a_slow_guard_shows_what_it_found_so_far_and_never_safe_too_early(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        for first, shown in ((SAFE, "pending"), (UNSAFE, "unsafe")):
            gate = asyncio.Event()
            guard = ScriptedGuard([first, SAFE], gate)
            guard.info = GuardInfo(name="scripted", uri="scripted", fingerprint=shown)
            made = three_turns(shown)
            await store.save_trajectory(made, [])
            under_way = asyncio.create_task(judging(store, guard)(WORK))
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    found = await store.get("t1")
                    if found and found.diagnosis and found.diagnosis.digest == shown:
                        break
                    await asyncio.sleep(0.01)
            assert found.summary.verdict == shown
            assert len(found.diagnosis.steps) == 1
            gate.set()
            await under_way
            after = await store.get("t1")
            assert after is not None
            assert after.summary.verdict == first.outcome
            assert after.diagnosis is not None
            assert len(after.diagnosis.steps) == 3

    play(server_url, scenario)


def test_a_version_that_was_overtaken_is_left_to_the_next(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        gate = asyncio.Event()
        guard = ScriptedGuard([SAFE], gate)
        await store.save_trajectory(three_turns("old"), [], records=1)
        under_way = asyncio.create_task(judging(store, guard)(WORK))
        async with asyncio.timeout(PATIENCE_S):
            while not guard.asked:  # noqa: ASYNC110 - asked by another task
                await asyncio.sleep(0.01)
        await store.save_trajectory(three_turns("new"), [], records=2)
        gate.set()
        await under_way
        assert guard.asked < 3
        found = await store.get("t1")
        assert found is not None
        assert found.summary.verdict == "pending"
        await judging(store, guard)(WORK)
        assert guard.asked == 3

    play(server_url, scenario)


def test_an_unreachable_guard_is_worth_another_try_for_a_while_only(server_url: str) -> None:
    made = three_turns()
    end = parse_rfc3339(made.steps[-1].start_time or "")

    soon, late = HandClock(end + 59_000_000_000), HandClock(end + 61_000_000_000)

    async def scenario(store: RedisStore) -> None:
        await store.save_trajectory(made, [])
        guard = ScriptedGuard([GONE])
        await judging(store, guard, clock=soon)(WORK)
        assert await due(store)
        await judging(store, guard, clock=late)(WORK)
        assert not await due(store)
        assert (await store.list(Query())).items[0].verdict == "not_evaluated"
        back = ScriptedGuard([SAFE])
        await judging(store, back, clock=late)(WORK)
        assert not await due(store)
        assert (await store.list(Query())).items[0].verdict == "safe"

    play(server_url, scenario)
