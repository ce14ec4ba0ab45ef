"""The same model in this process, in vLLM's engine and behind vLLM's server: one answer. Wiring, never accuracy."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

import taxonomy
from agentdog.guards import Guard, Reason, Verdict, factory
from agentdog.guards.engines.guard import EngineGuard
from agentdog.guards.engines.vllm_engine import VllmEngine
from agentdog.trajectory import Step
from tests.guards.runs import HEADER, run_of
from tests.support import there
from tests.support import vllm_server as vllm

# vLLM's start takes half a minute on quiet cores, several where others run their tests too.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
RUNS = [run_of(seed) for seed in range(20)]
ASKED = "threshold=0.000001&axes=1&pack=agentdog-1.0-fg"


async def all_of(guard: Guard) -> list[Verdict]:
    async def one(seed: int) -> Verdict:
        session = guard.open(HEADER)
        for step in RUNS[seed]:
            session.extend(step)
        return await session.verdict()

    found = await asyncio.gather(*(one(seed) for seed in range(len(RUNS))))
    await guard.close()
    return found


@pytest.fixture(scope="module")
def local(vllm_model: Path) -> list[Verdict]:
    uri = f"local:{vllm_model}?{ASKED}&dtype=float32"
    return [verdict for [verdict] in there.verdicts(uri, "whole", HEADER, RUNS)]


def agree(found: list[Verdict], local: list[Verdict]) -> None:
    """P(unsafe) within 0.02, every label's probability within 0.01, labels of the taxonomy; prints what agrees."""
    equal = likeliest = 0
    for one, other in zip(found, local, strict=True):
        assert one.p_unsafe == pytest.approx(other.p_unsafe, abs=0.02), one
        assert one.labels is not None, one
        assert one.axes is not None
        assert other.axes is not None
        for axis in taxonomy.AXES:
            written = getattr(one.labels, axis)
            assert written in taxonomy.load().ids(axis)
            assert one.axes[axis] == pytest.approx(other.axes[axis], abs=1e-2)
            equal += written == getattr(other.labels, axis)
            likeliest += written == next(iter(one.axes[axis]))
    print(f"labels alike: {equal}, likeliest label = greedily written label: {likeliest}, of {3 * len(found)}")


def test_a_local_model_answers_as_the_served_one(vllm_running: vllm.Running, local: list[Verdict]) -> None:
    agree(asyncio.run(all_of(factory.build(f"server:{vllm_running.url}?{ASKED}&timeout=300"))), local)


async def judged_then_killed(guard: EngineGuard) -> tuple[list[Verdict], list[Verdict]]:
    """The verdicts of all runs; and of all runs again, while the engine's processes are killed."""

    async def one(steps: list[Step]) -> Verdict:
        session = guard.open(HEADER)
        for step in steps:
            session.extend(step)
        return await session.verdict()

    found = list(await asyncio.gather(*map(one, RUNS)))
    asked = [asyncio.create_task(one(steps)) for steps in RUNS]
    await asyncio.sleep(0.1)  # the requests are on their way then; which of them are done does not matter
    assert isinstance(guard.engine, VllmEngine)
    process = guard.engine._process
    assert process is not None
    os.killpg(process.pid, signal.SIGKILL)
    left = list(await asyncio.gather(*asked))
    await guard.close()
    return found, left


def test_vllms_engine_judges_twenty_runs_as_a_local_model_does(vllm_model: Path, local: list[Verdict]) -> None:
    uri = f"vllm:{vllm_model}?{ASKED}&dtype=float32&eager=1&cache=1&python={vllm.PYTHON}"
    guard = factory.build(uri)
    assert isinstance(guard, EngineGuard)
    found, left = asyncio.run(judged_then_killed(guard))
    agree(found, local)
    reasons = {verdict.reason for verdict in left}
    assert Reason.GUARD_UNREACHABLE in reasons, "whoever waited when it was killed is told"
    assert reasons <= {None, Reason.GUARD_UNREACHABLE}
    assert all("labels:" in (v.detail or "") or v.labels or v.reason for v in left)
