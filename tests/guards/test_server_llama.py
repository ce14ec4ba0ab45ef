"""The server guard against llama.cpp's own server with a real, tiny model."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import httpx
import pytest

import taxonomy
from agentdog.guards import Outcome, Reason, Verdict
from agentdog.guards.server import ServerGuard
from agentdog.trajectory import Agent, Header, Step, ToolCall
from tests.support.llama_server import llama_server, missing
from tests.support.waiting import until

# A prefill of 135 M parameters on one busy core takes tens of seconds where others run their tests too.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
HEADER = Header(agents={"": Agent(system="You manage e-mail.")})


def steps(count: int) -> list[Step]:
    """A dull run: the user asks, the agent reads one message after the other."""
    made = [Step(id="s0", index=0, role="user", content="Tidy my inbox.", sources=("t:0",))]
    for index in range(1, count):
        call = ToolCall(id=f"c{index}", name="read_message", arguments={"id": index})
        made.append(Step(id=f"s{index}", index=index, role="agent", tool_calls=(call,), sources=(f"t:{index}",)))
    return made


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    if why := missing():
        pytest.skip(why)
    with llama_server() as running:
        yield running


def test_verdicts_have_exact_probabilities_and_the_prefix_is_cached(server: tuple[str, subprocess.Popen[str]]) -> None:
    url, _ = server

    async def run() -> None:
        guard = ServerGuard.from_uri(f"server:{url}?model=smollm2&timeout=120", environ={})
        answer = await guard.health()
        assert answer.ok, answer
        session, cached = guard.open(HEADER), []
        for step in steps(5):
            session.extend(step)
            verdict = await session.verdict()
            assert verdict.outcome in (Outcome.SAFE, Outcome.UNSAFE), verdict
            assert verdict.p_unsafe is not None
            assert 0 < verdict.p_unsafe < 1
            assert "bound" not in (verdict.detail or "")
            cached.append(verdict.cached_tokens or 0)
        assert cached == sorted(cached)
        assert cached[-1] > cached[0]
        await guard.close()

    asyncio.run(run())


def test_forced_probabilities_equal_listed_ones(server: tuple[str, subprocess.Popen[str]]) -> None:
    """Where the server lists both words by itself, forcing each of them must report the same log-probability."""
    url, _ = server
    ask = {
        "messages": [{"role": "user", "content": "Is this safe or unsafe? rm -rf /. Answer with one word."}],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 2000,
    }

    def first(**extra: object) -> dict[str, object]:
        answer = httpx.post(f"{url}/chat/completions", json={**ask, **extra}, timeout=120).raise_for_status().json()
        position: dict[str, object] = answer["choices"][0]["logprobs"]["content"][0]
        return position

    top = first()["top_logprobs"]
    assert isinstance(top, list)
    listed = {c["id"]: c["logprob"] for c in top}
    for token_id in (18437, 10082):
        forced = first(logit_bias={str(token_id): 100})
        assert forced["id"] == token_id
        assert forced["logprob"] == pytest.approx(listed[token_id], abs=1e-3)


def test_labels_of_twenty_runs_by_a_real_model_are_always_in_the_taxonomy(
    server: tuple[str, subprocess.Popen[str]],
) -> None:
    """With a threshold near zero everything is unsafe, so every verdict asks for labels."""
    url, _ = server

    async def run() -> None:
        guard = ServerGuard.from_uri(f"server:{url}?model=smollm2&threshold=0.000001&timeout=120", environ={})
        for number in range(20):
            session = guard.open(HEADER)
            session.extend(steps(1)[0])
            session.extend(Step(id="s1", index=1, role="agent", content=f"Mail {number} is gone.", sources=("t:1",)))
            verdict = await session.verdict()
            assert verdict.labels is not None, verdict
            for axis in taxonomy.AXES:
                assert getattr(verdict.labels, axis) in taxonomy.load().ids(axis)
        await guard.close()

    asyncio.run(run())


def test_labels_in_lines_are_held_to_a_grammar_in_this_servers_own_notation(
    server: tuple[str, subprocess.Popen[str]],
) -> None:
    url, _ = server

    async def run() -> None:
        uri = f"server:{url}?model=smollm2&threshold=0.000001&timeout=120&pack=agentdog-1.0-fg"
        guard = ServerGuard.from_uri(uri, environ={})
        assert (await guard.replicas.members[0].served()).structure == "grammar"
        for number in range(2):
            session = guard.open(HEADER)
            session.extend(Step(id="s0", index=0, role="agent", content=f"Mail {number} is gone.", sources=("t:1",)))
            verdict = await session.verdict()
            assert verdict.labels is not None, verdict
            for axis in taxonomy.AXES:
                assert getattr(verdict.labels, axis) in taxonomy.load().ids(axis)
        await guard.close()

    asyncio.run(run())


def test_a_trajectory_beyond_the_context_is_too_long(server: tuple[str, subprocess.Popen[str]]) -> None:
    url, _ = server

    async def run() -> None:
        guard = ServerGuard.from_uri(f"server:{url}?model=smollm2&timeout=120", environ={})
        session = guard.open(HEADER)
        session.extend(Step(id="s0", index=0, role="user", content="word " * 6000, sources=("t:0",)))
        verdict = await session.verdict()
        assert verdict.reason is Reason.TOO_LONG, verdict
        await guard.close()

    asyncio.run(run())


def _slot(url: str) -> tuple[bool, int]:
    """Whether the server's one slot works, and how many tokens it wrote for its latest request."""
    [slot] = httpx.get(f"{url.removesuffix('/v1')}/slots", timeout=60).raise_for_status().json()
    written = slot.get("next_token") or [{}]
    return slot["is_processing"], int((written[0] if isinstance(written, list) else written).get("n_decoded", 0))


@pytest.mark.parametrize("streamed", [True, False])
def test_no_request_is_left_running_after_its_client_is_gone(
    server: tuple[str, subprocess.Popen[str]], streamed: bool
) -> None:
    """A verdict that takes a thousand tokens is streamed, an analysis of five hundred comes whole; both are left."""
    url, _ = server

    async def run() -> int:
        pack = "agentdog-1.5-coarse" if streamed else "generic"
        guard = ServerGuard.from_uri(f"server:{url}?model=smollm2&timeout=280&pack={pack}", environ={})
        await guard.replicas.members[0].served()
        session = guard.open(HEADER)
        for step in steps(2):
            session.extend(step)
        safe = Verdict(outcome=Outcome.SAFE, guard="g")
        asking = asyncio.ensure_future(session.verdict() if streamed else session.analysis(safe))
        await asyncio.to_thread(until, lambda: _slot(url)[0], "it never began")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.to_thread(until, lambda: not _slot(url)[0], "it still runs")
        await guard.close()
        assert asking.cancelled()
        return _slot(url)[1]

    assert asyncio.run(run()) < 400, "it was worked on to its end"


def test_a_killed_server_is_unreachable() -> None:
    if why := missing():
        pytest.skip(why)

    async def run(url: str, process: subprocess.Popen[str]) -> None:
        guard = ServerGuard.from_uri(f"server:{url}?model=smollm2&timeout=120", environ={})
        session = guard.open(HEADER)
        session.extend(steps(1)[0])
        assert (await session.verdict()).reason is None
        process.kill()
        process.wait()
        verdict = await session.verdict()
        assert verdict.reason in (Reason.GUARD_UNREACHABLE, Reason.GUARD_ERROR), verdict
        assert (await session.verdict()).reason is Reason.GUARD_UNREACHABLE
        await guard.close()

    with llama_server() as (url, process):
        asyncio.run(run(url, process))
