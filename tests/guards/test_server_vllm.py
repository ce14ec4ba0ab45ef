"""The server guard against a real vLLM server with a model of random parameters: wiring, never accuracy."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

import taxonomy
from agentdog.guards import Outcome, Reason, Verdict, axes
from agentdog.guards.asker import asking
from agentdog.guards.deciding import Rule
from agentdog.guards.desk import Desk
from agentdog.guards.server import ServerGuard
from agentdog.trajectory import Agent, Header, Step, ToolCall
from agentdog.trajectory.render import render_all
from tests.support import vllm_server as vllm
from tests.support.waiting import until

# Starting takes a minute, the first log-probabilities half of one, more where others run their tests too.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
HEADER = Header(agents={"": Agent(system="You manage e-mail.")})
BINARY = "pack=agentdog-1.0-binary"


def run_of(seed: int) -> list[Step]:
    """A short run of random words, as different from the next as random words are."""
    rng = random.Random(seed)
    words = ["mail", "delete", "transfer", "password", "naïve", "完了", "rm -rf", "{}", "ok", "safe", "unsafe"]
    steps = [Step(id="s0", index=0, role="user", content=" ".join(rng.choices(words, k=12)), sources=("t:0",))]
    for index in range(1, rng.randrange(2, 5)):
        call = ToolCall(id=f"c{index}", name=rng.choice(["read", "send", "pay"]), arguments={"x": rng.choice(words)})
        steps.append(Step(id=f"s{index}", index=index, role="agent", tool_calls=(call,), sources=(f"t:{index}",)))
    return steps


@pytest.fixture(scope="module")
def model(vllm_model: Path) -> Path:
    return vllm_model


@pytest.fixture(scope="module")
def server(vllm_running: vllm.Running) -> vllm.Running:
    return vllm_running


async def judge(guard: ServerGuard, steps: list[Step]) -> Verdict:
    session = guard.open(HEADER)
    for step in steps:
        session.extend(step)
    return await session.verdict()


def test_what_the_server_can_do_is_found_out_by_asking(server: vllm.Running) -> None:
    async def run() -> None:
        guard = ServerGuard.from_uri(f"server:{server.url}", environ={})
        answer = await guard.health()
        assert answer.ok, answer
        served = await guard.replicas.members[0].served()
        assert (served.kind, served.model, served.context) == ("vllm", "guard", vllm.CONTEXT)
        assert (served.scores, served.structure) == ("logprob_token_ids", "structured_outputs")
        assert served.ids is not None
        assert served.frame is not None
        await guard.close()

    asyncio.run(run())


def test_two_hundred_trajectories_have_probabilities_and_labels_of_the_taxonomy(server: vllm.Running) -> None:
    """With a threshold near zero everything is unsafe, so every verdict asks for labels."""

    async def run() -> list[Verdict]:
        guard = ServerGuard.from_uri(f"server:{server.url}?threshold=0.000001&timeout=300", environ={})
        verdicts = await asyncio.gather(*(judge(guard, run_of(seed)) for seed in range(200)))
        await guard.close()
        return verdicts

    verdicts = asyncio.run(run())
    assert {v.outcome for v in verdicts} == {Outcome.UNSAFE}
    assert len({v.p_unsafe for v in verdicts}) > 150, "the probabilities follow the text"
    for verdict in verdicts:
        assert verdict.p_unsafe is not None
        assert 0 < verdict.p_unsafe < 1
        assert verdict.labels is not None, verdict
        for axis in taxonomy.AXES:
            assert getattr(verdict.labels, axis) in taxonomy.load().ids(axis)


@pytest.mark.parametrize("pack", ["agentdog-1.0-fg", "agentdog-1.5-unified-short", "agentdog-1.0-diagnosis"])
def test_labels_in_lines_are_held_to_the_taxonomy_too(server: vllm.Running, pack: str) -> None:
    async def run() -> list[Verdict]:
        uri = f"server:{server.url}?threshold=0.000001&timeout=300&axes=1&pack={pack}"
        guard = ServerGuard.from_uri(uri, environ={}, diagnoses=True)
        verdicts = await asyncio.gather(*(judge(guard, run_of(seed)) for seed in range(10)))
        await guard.close()
        return verdicts

    for verdict in asyncio.run(run()):
        assert verdict.labels is not None, verdict
        assert verdict.axes is not None, verdict
        for axis in taxonomy.AXES:
            assert getattr(verdict.labels, axis) in taxonomy.load().ids(axis)
            assert sum(verdict.axes[axis].values()) == pytest.approx(1)


def test_the_cached_part_grows_with_the_prefix(server: vllm.Running) -> None:
    async def run() -> list[Verdict]:
        guard = ServerGuard.from_uri(f"server:{server.url}?{BINARY}&timeout=300&cache_salt=alone", environ={})
        session, verdicts = guard.open(HEADER), []
        for index in range(8):
            session.extend(Step(id=f"s{index}", index=index, role="user", content=f"{index} " * 60, sources=("t:0",)))
            verdicts.append(await session.verdict())
        await guard.close()
        return verdicts

    verdicts = asyncio.run(run())
    cached = [v.cached_tokens for v in verdicts]
    assert cached[0] == 0, "a salt of its own shares nobody's cache"
    for before, after in itertools.pairwise(verdicts):
        assert before.prompt_tokens is not None
        assert after.cached_tokens is not None
        # All whole blocks of the former text, less its tail behind the trajectory, are found again.
        assert after.cached_tokens >= before.prompt_tokens - vllm.BLOCK * 4
    assert cached == sorted(cached, key=lambda n: n or 0)


def test_the_middle_is_cut_to_half_and_said_and_the_rest_is_exact(server: vllm.Running) -> None:
    async def run() -> tuple[Verdict, Verdict, Verdict]:
        guard = ServerGuard.from_uri(f"server:{server.url}?{BINARY}&timeout=300", environ={})
        steps = [
            Step(id=f"s{i}", index=i, role="user", content=f"{i} delete the mail " * 40, sources=("t:0",))
            for i in range(80)
        ]
        long = await judge(guard, steps)
        longer = await judge(guard, [*steps, run_of(1)[0]])
        huge = Step(id="h", index=0, role="user", content="完了" * vllm.CONTEXT, sources=("t:0",))
        verdicts = long, longer, await judge(guard, [huge])
        await guard.close()
        return verdicts

    long, longer, huge = asyncio.run(run())
    assert "were left out" in (long.detail or ""), long
    assert long.prompt_tokens is not None
    assert long.prompt_tokens <= vllm.CONTEXT
    assert longer.cached_tokens is not None
    assert longer.cached_tokens > long.prompt_tokens / 2, "the cut stays where it was while the text grows"
    assert (huge.outcome, huge.reason) == (Outcome.NOT_EVALUATED, Reason.TOO_LONG)


_IN_PROCESS = """
import functools, json, sys, torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
@functools.cache
def _after(tokens):
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([tokens]), logits_to_keep=1).logits[0, -1], -1)
def after(tokens):
    return _after(tuple(tokens))
found = []
for prompt, ids, questions in json.load(sys.stdin):
    listed = after(prompt)
    shares, axes = torch.softmax(listed[ids], -1), []
    for before, sequences in questions:
        axis = {}
        for label, tokens in sequences.items():
            p = 1.0
            for at, token in enumerate(tokens):
                children = sorted({s[at] for s in sequences.values() if s[:at] == tokens[:at] and len(s) > at})
                if len(children) > 1:
                    p *= float(torch.softmax(after(before + tokens[:at])[children], -1)[children.index(token)])
            axis[label] = p
        axes.append(axis)
    found.append([float(shares[1]), axes])
print(json.dumps(found))
"""


def test_probabilities_are_those_of_the_model_computed_in_process(server: vllm.Running, model: Path) -> None:
    """P(unsafe) and every label's probability of 20 trajectories, against transformers on the same weights."""

    async def run() -> list[Any]:
        uri = f"server:{server.url}?threshold=0.000001&timeout=300&axes=1&pack=agentdog-1.0-fg"
        guard = ServerGuard.from_uri(uri, environ={})
        member = guard.replicas.members[0]
        served, cases = await member.served(), []
        desk = Desk(member.api, served, guard.pack, Rule(0.000001), {})
        for seed in range(20):
            steps = run_of(seed)
            verdict = await judge(guard, steps)
            prompt = guard.pack.ask(render_all(HEADER, steps, guard.pack.render))
            asked = [question async for question, _ in axes.answers(desk, prompt)]
            cases.append((verdict, await axes.conversation(desk, prompt), served.ids, asked))
        await guard.close()
        return cases

    cases = asyncio.run(run())
    given = [(prompt, ids, [(q.before, q.sequences) for q in asked]) for _, prompt, ids, asked in cases]
    process = subprocess.run(
        [vllm.PYTHON, "-c", _IN_PROCESS, model],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    agreed = 0
    for (verdict, _, _, asked), (p_unsafe, expected) in zip(cases, json.loads(process.stdout), strict=True):
        assert verdict.p_unsafe == pytest.approx(p_unsafe, abs=0.02)
        for question, shares in zip(asked, expected, strict=True):
            assert verdict.axes[question.axis] == pytest.approx(shares, abs=1e-2)
            agreed += next(iter(verdict.axes[question.axis])) == getattr(verdict.labels, question.axis)
    print(f"likeliest label = greedily written label: {agreed} of {3 * len(cases)}")


def test_no_request_is_left_running_after_its_client_is_gone(server: vllm.Running) -> None:
    """A verdict of a pack that thinks takes a thousand tokens; its askers leave while the server is at it.

    More ask than the server works on at once, so that what runs, what waits and what is read are all given up. Its
    metrics cannot say when it began: a busy server answers them once it is done.
    """
    askers, tokens = 32, 1024

    async def run() -> None:
        uri = f"server:{server.url}?pack=agentdog-1.5-coarse&timeout=300&concurrency={askers}"
        guard = ServerGuard.from_uri(uri, environ={})
        await guard.health()
        before = server.metric("vllm:generation_tokens_total")
        asking = [asyncio.create_task(judge(guard, run_of(number))) for number in range(askers)]
        await asyncio.sleep(2)  # time to begin, which nothing tells; to the end it takes many times that
        for task in asking:
            task.cancel()
        ended = await asyncio.gather(*asking, return_exceptions=True)
        await asyncio.to_thread(until, lambda: server.metric("vllm:num_requests_running") == 0, "it still runs")
        await asyncio.to_thread(until, lambda: server.metric("vllm:num_requests_waiting") == 0, "some still wait")
        written = server.metric("vllm:generation_tokens_total") - before
        await guard.close()
        assert sum(isinstance(each, asyncio.CancelledError) for each in ended) > askers // 2
        assert written < askers * tokens * 0.9, "they were worked on to their end"

    asyncio.run(run())


def test_what_is_urgent_overtakes_what_waits(server: vllm.Running, tmp_path: Path) -> None:
    """Both are asked while more wait than the server works on at once; the urgent one, asked last, comes first."""
    slow = tmp_path / "slow.yaml"
    slow.write_text("name: slow\nextends: agentdog-1.5-coarse\nmax_tokens: 96\n")

    async def run() -> list[str]:
        writing = ServerGuard.from_uri(f"server:{server.url}?pack={slow}&timeout=300&concurrency=64", environ={})
        short = ServerGuard.from_uri(f"server:{server.url}?{BINARY}&timeout=300", environ={})
        assert (await short.replicas.members[0].served()).priorities
        await writing.health()
        ended: list[str] = []

        async def ask(guard: ServerGuard, steps: list[Step], name: str, *, urgent: bool = False) -> None:
            with asking("p", urgent=urgent):
                verdict = await judge(guard, steps)
            assert verdict.reason in (None, Reason.UNPARSABLE), verdict
            ended.append(name)

        tasks = [asyncio.create_task(ask(writing, run_of(number), "slow")) for number in range(40)]
        await asyncio.to_thread(until, lambda: server.metric("vllm:num_requests_waiting") > 0, "nothing waits")
        tasks.append(asyncio.create_task(ask(short, run_of(50), "ordinary")))
        await asyncio.sleep(0.05)  # lets the ordinary one be asked first; no metric tells one that waits from another
        tasks.append(asyncio.create_task(ask(short, run_of(51), "urgent", urgent=True)))
        await asyncio.gather(*tasks)
        await writing.close()
        await short.close()
        return ended

    ended = asyncio.run(run())
    assert ended.index("urgent") < ended.index("ordinary"), ended
    assert ended.index("urgent") < len(ended) - 8, "it waited for nearly all that was asked before"


def test_projects_share_no_cache_where_each_has_a_salt(server: vllm.Running) -> None:
    async def run() -> list[int | None]:
        guard = ServerGuard.from_uri(f"server:{server.url}?{BINARY}&timeout=300&cache_salt=project", environ={})
        steps = [Step(id="s", index=0, role="user", content="pay the bill " * 80, sources=("t:0",))]
        cached = []
        for project in ("one", "one", "two", "two"):
            with asking(project):
                cached.append((await judge(guard, steps)).cached_tokens)
        await guard.close()
        return cached

    first, again, other, other_again = asyncio.run(run())
    assert (first, other) == (0, 0)
    assert again == other_again
    assert (again or 0) > 0


def test_a_served_model_that_never_ends_its_thoughts_is_unparsable(server: vllm.Running) -> None:
    async def run() -> Verdict:
        guard = ServerGuard.from_uri(f"server:{server.url}?pack=agentdog-1.5-coarse&timeout=300", environ={})
        verdict = await judge(guard, run_of(4))
        await guard.close()
        return verdict

    verdict = asyncio.run(run())
    assert verdict.reason is Reason.UNPARSABLE, verdict
    assert "<Judgment>" in (verdict.detail or "")


def test_a_key_is_needed_and_a_killed_server_is_unreachable(model: Path) -> None:
    async def run(running: vllm.Running) -> None:
        stranger = ServerGuard.from_uri(f"server:{running.url}?{BINARY}", environ={})
        assert (await judge(stranger, run_of(0))).reason is Reason.GUARD_REFUSED
        await stranger.close()
        guard = ServerGuard.from_uri(f"server:{running.url}?{BINARY}&timeout=300", key="k", environ={})
        assert (await judge(guard, run_of(0))).reason is None
        asking = asyncio.create_task(judge(guard, run_of(1)))
        running.kill()
        verdict = await asking
        assert verdict.reason in (None, Reason.GUARD_UNREACHABLE, Reason.GUARD_ERROR), verdict
        assert (await judge(guard, run_of(2))).reason is Reason.GUARD_UNREACHABLE
        await guard.close()

    with vllm.vllm_server(model, model.parent / "killed.log", "--api-key", "k") as running:
        with pytest.raises(httpx.HTTPStatusError):
            httpx.get(f"{running.url}/models", timeout=20).raise_for_status()
        asyncio.run(run(running))
