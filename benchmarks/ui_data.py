"""What `benchmarks.ui` looks at: a store of many runs, one of them long."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable

import msgspec

from agentdog.base.clock import rfc3339
from agentdog.base.errors import StoreUnavailable
from agentdog.diagnosis.model import StepVerdict
from agentdog.guards import Outcome
from agentdog.store.listing import Listing
from agentdog.store.redis_store import RedisStore
from agentdog.store.rows import row_of
from agentdog.store.shapes import DisplayVerdict, Summary
from agentdog.trajectory import Step
from taxonomy import load
from tests.support import runs
from tests.support.stores import store_at

LONG = "run-long"
_AT_ONCE, _TOLD_EVERY, _SEED, _TRIES = 64, 10_000, 7, 20
_SECOND = 1_000_000_000
_UNSAFE, _AGENTS, _TOOLS = 0.1, 8, 40


def long_run(steps: int) -> runs.Sample:
    """A run of that many steps that goes wrong in its middle."""
    sample = runs.injected()
    base = sample.trajectory.steps
    assert sample.diagnosis is not None
    verdicts = {each.index: each.verdict for each in sample.diagnosis.steps}
    made, judged = [], []
    for index in range(steps):
        of = base[index % len(base)]
        step: Step = msgspec.structs.replace(of, id=f"long-{index}", index=index, sources=())
        made.append(step)
        verdict = verdicts.get(of.index)
        if verdict is not None and (index >= steps // 2 or verdict.outcome is Outcome.SAFE):
            judged.append(StepVerdict(step_id=step.id, index=index, verdict=verdict))
    trajectory = msgspec.structs.replace(sample.trajectory, id=LONG, digest="digest-long", steps=tuple(made))
    first = next(each for each in judged if each.verdict.outcome is Outcome.UNSAFE)
    incident = msgspec.structs.replace(
        sample.diagnosis.incidents[0], onset=first.index, onset_step_id=first.step_id, source_step=first.index - 3
    )
    diagnosis = msgspec.structs.replace(
        sample.diagnosis, trajectory_id=LONG, digest="digest-long", steps=tuple(judged), incidents=(incident,)
    )
    return runs.Sample(trajectory=trajectory, diagnosis=diagnosis)


async def fill(url: str, count: int, whole: int, steps: int) -> None:
    """Puts `count` short runs and the long one into a store.

    The first `whole` of them are stored with all that a worker would store; of the others the list's rows and indexes
    alone, by the store's own code: that is all that a list reads.
    """
    store = store_at(url)
    try:
        await _each(0, min(whole, count), lambda n: _whole(store, n))
        listing = store._listing
        rng = random.Random(_SEED)
        labels = {axis.id: load("base").ids(axis.id) for axis in load("base").axes}
        await _each(min(whole, count), count, lambda n: _row(listing, _summary(rng, labels, n)))
        await runs.put(store, long_run(steps))
    finally:
        await store.close()


async def _each(first: int, last: int, put: Callable[[int], Awaitable[None]]) -> None:
    for begin in range(first, last, _AT_ONCE):
        await asyncio.gather(*(_patiently(put, n) for n in range(begin, min(begin + _AT_ONCE, last))))
        if begin // _TOLD_EVERY != (begin + _AT_ONCE) // _TOLD_EVERY:
            print(f"{begin + _AT_ONCE:,} runs of {last:,}", file=sys.stderr, flush=True)


async def _patiently(put: Callable[[int], Awaitable[None]], n: int) -> None:
    """Puts one again where a busy machine's store did not answer in time: putting it twice changes nothing."""
    for left in reversed(range(_TRIES)):
        try:
            return await put(n)
        except StoreUnavailable:
            if not left:
                raise
            await asyncio.sleep(1)


async def _whole(store: RedisStore, n: int) -> None:
    sample = runs.benign()
    assert sample.diagnosis is not None
    run, digest = f"run-{n}", f"digest-{n}"
    start = rfc3339(runs.START_NS + n * _SECOND)
    made = tuple(
        msgspec.structs.replace(step, id=f"{n}-{step.index}", start_time=start, end_time=None, sources=())
        for step in sample.trajectory.steps
    )
    trajectory = msgspec.structs.replace(sample.trajectory, id=run, digest=digest, session_id=None, steps=made)
    diagnosis = msgspec.structs.replace(sample.diagnosis, trajectory_id=run, digest=digest)
    await runs.put(store, runs.Sample(trajectory=trajectory, diagnosis=diagnosis))


async def _row(listing: Listing, summary: Summary) -> None:
    await listing.put(summary.project, summary.id, row_of(summary, 1), read=[None])


def _summary(rng: random.Random, labels: dict[str, tuple[str, ...]], n: int) -> Summary:
    """One of every ten goes wrong; agents, tools, steps and durations are drawn."""
    bad = rng.random() < _UNSAFE
    steps = 2 + int(rng.expovariate(1 / 12))
    verdict: DisplayVerdict = "unsafe" if bad else "safe"
    start = runs.START_NS + n * _SECOND
    return Summary(
        id=f"run-{n}",
        project="mailroom",
        title=f"Please summarise e-mail {n} and keep the summary as a note.",
        agents=(f"agent-{rng.randrange(_AGENTS)}",),
        verdict=verdict,
        p_unsafe=rng.uniform(0.5, 1) if bad else rng.betavariate(1, 20) / 2,
        risk_source=rng.choice(labels["risk_source"]) if bad else None,
        failure_mode=rng.choice(labels["failure_mode"]) if bad else None,
        real_world_harm=rng.choice(labels["real_world_harm"]) if bad else None,
        incidents=int(bad),
        open=int(bad),
        steps=steps,
        completion="final",
        tools=tuple(sorted({f"tool-{int(rng.expovariate(0.15)) % _TOOLS}" for _ in range(3)})),
        start_time=rfc3339(start),
        end_time=rfc3339(start + int(rng.expovariate(1 / 30) * _SECOND)),
        updated_at=rfc3339(start),
    )
