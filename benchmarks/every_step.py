#!/usr/bin/env python3
"""What judging every step costs against judging once, by a real vLLM server on the CPU (`--block-size 32`).

    python benchmarks/every_step.py [--steps 10,20,40] [--seeds N] [--tiny] [--json]

Random runs whose steps have a median of 133 ± 20 tokens. *Computed* prompt tokens are prompt tokens minus those that
the server says its prefix cache held. Per run, each with a cache of its own (`cache_salt`):

* once: the last prefix, one verdict;
* arriving: through the engine, a look after each step, agent and environment steps judged;
* backlog: through the engine, the whole run at once: the newest prefix first, then the others, eight at a time;
* window: every step, the text cut to its newest ten steps;
* naive: every step, each prefix read from its beginning (no cache).

The tail is what stands behind the trajectory in a pack's prompt, the chat template's end included: it is computed anew
for every verdict. The model has random weights (27 million parameters; --tiny: one million): tokens and ratios are
those of any model with this tokenizer, seconds are this machine's, verdicts mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from agentdog.diagnosis import MemoryCache, Policy, Terms, look
from agentdog.guards import Outcome, Verdict, packs
from agentdog.guards.packs import Pack
from agentdog.guards.server import ServerGuard
from agentdog.trajectory import Agent, Header, Step, ToolCall, Trajectory
from agentdog.trajectory.render import render_step
from tests.support import vllm_server as vllm

MEDIAN, SPREAD = 133, 20
WINDOW = 10
#: A tail of seventy tokens: words are added to a shipped pack's until it has that many.
TAIL = 70
TAIL_WORDS = "Think of every step and of what it leads to before you answer with that one word"
POLICY = Policy(observations="all")
HEAD = "<|im_start|>user\n"  # the wiring model's template
WORDS = Path(argparse.__file__).read_text(encoding="utf-8").split()


class Cost(NamedTuple):
    """Tokens and seconds of some verdicts."""

    verdicts: int
    prompt: int
    computed: int
    seconds: float

    @staticmethod
    def of(verdicts: Sequence[Verdict], seconds: float) -> Cost:
        """Adds them up; ends the benchmark where one was not given."""
        bad = [v for v in verdicts if v.outcome is Outcome.NOT_EVALUATED]
        if bad:
            raise SystemExit(f"{len(bad)} verdicts were not given: {bad[0].reason} ({bad[0].detail})")
        prompt, cached = (sum(getattr(v, f"{kind}_tokens") or 0 for v in verdicts) for kind in ("prompt", "cached"))
        return Cost(len(verdicts), prompt, prompt - cached, seconds)


class Server(NamedTuple):
    """The server, and how it counts."""

    url: str
    client: httpx.Client

    def count(self, text: str) -> int:
        """Tokens of a text."""
        answer = self.client.post(f"{self.url.removesuffix('/v1')}/tokenize", json={"model": "guard", "prompt": text})
        return int(answer.raise_for_status().json()["count"])

    def tail(self, pack: Pack) -> int:
        """Tokens behind the trajectory."""
        head, _, _ = pack.ask("\0").partition("\0")
        messages = [{"role": "user", "content": pack.ask("x")}]
        begun = {"continue_final_message": True, "add_generation_prompt": False} if pack.prefill else {}
        if pack.prefill:
            messages.append({"role": "assistant", "content": pack.prefill})
        asked = {"model": "guard", "messages": messages, **begun}
        whole = self.client.post(f"{self.url.removesuffix('/v1')}/tokenize", json=asked).raise_for_status()
        return int(whole.json()["count"]) - self.count(f"{HEAD}{head}x")


def main() -> int:
    """Starts the server and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", default="10,20,40")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if why := vllm.missing():
        print(why, file=sys.stderr)
        return 2
    lengths = [int(part) for part in options.steps.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = vllm.model(place / "model", *([] if options.tiny else ["qwen3_wide"]))
        with vllm.vllm_server(model, place / "log") as running, httpx.Client(timeout=120) as client:
            report = measure(Server(running.url, client), place, lengths, options.seeds)
    report |= {
        "machine": f"{platform.machine()}, {os.cpu_count()} shared cores, no GPU, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
        "model": "one million random parameters" if options.tiny else "27 million random parameters, float32",
    }
    print(json.dumps(report, indent=2) if options.json else text(report))
    return 0


def measure(server: Server, folder: Path, lengths: Sequence[int], seeds: int) -> dict[str, Any]:
    """Measures every length with two packs: one with a tail of 70 tokens, and the shipped one with the shortest."""
    shipped = {n: p for n, p in packs.shipped().items() if p.family == "verdict_first" and p.refused is None}
    tails = {name: server.tail(pack) for name, pack in shipped.items()}
    shortest = min(tails, key=lambda name: tails[name])
    chosen = {str(seventy(server, folder)): TAIL, shortest: tails[shortest]}
    rows = []
    for length in lengths:
        runs = [run_of(server, length, seed) for seed in range(seeds)]
        sizes = [server.count(render_step(s, packs.shipped()[shortest].render)) for r in runs for s in r.steps]
        for pack, tail in chosen.items():
            costs = [asyncio.run(ways(server, pack, run, seed)) for seed, run in enumerate(runs)]
            rows.append(row(length, Path(pack).stem, tail, statistics.median(sizes), costs))
    return {"tails": tails, "rows": rows}


def row(length: int, pack: str, tail: int, size: float, costs: Sequence[dict[str, Cost]]) -> dict[str, Any]:
    once = [cost["once"] for cost in costs]
    found: dict[str, Any] = {"steps": length, "pack": pack, "tail": tail, "median_step_tokens": size}
    for way in costs[0]:
        tokens = [cost[way].computed / one.computed for cost, one in zip(costs, once, strict=True)]
        wall = [cost[way].seconds / one.seconds for cost, one in zip(costs, once, strict=True)]
        found[way] = {
            "verdicts": costs[0][way].verdicts,
            "prompt_tokens": sum(cost[way].prompt for cost in costs),
            "computed_tokens": sum(cost[way].computed for cost in costs),
            "seconds": round(sum(cost[way].seconds for cost in costs), 2),
            "computed_ratio": round(statistics.median(tokens), 3),
            "wall_ratio": round(statistics.median(wall), 2),
        }
    return found


def seventy(server: Server, folder: Path) -> Path:
    """Writes the generic pack with words added behind the trajectory until its tail has 70 tokens."""
    generic = packs.shipped()["generic"]
    path = folder / "tail-of-70.yaml"
    added = ""
    for word in TAIL_WORDS.split() * 9:
        pack = Pack(name="tail-of-70", prompt=generic.prompt.rstrip() + added + "\n", render=generic.render)
        if server.tail(pack) >= TAIL:
            break
        added += f" {word}"
    fields = {
        "name": pack.name,
        "prompt": pack.prompt,
        "render": {"name": "plain", "answer": "content", "agents": True},
    }
    path.write_text(json.dumps(fields), encoding="utf-8")
    return path


def run_of(server: Server, length: int, seed: int) -> Trajectory:
    """A run of random words: a user's request, then calls and their answers."""
    rng = random.Random(seed)
    sized = [MEDIAN + rng.randint(-SPREAD, SPREAD) for _ in range(length)]
    steps = [step(server, rng, index, tokens) for index, tokens in enumerate(sized)]
    return Trajectory(
        id=f"run-{seed}", digest="d", project="p", agents={"": Agent(system="You keep the books.")}, completion="open",
        missing=(), scopes=(), steps=tuple(steps),
    )  # fmt: skip


def step(server: Server, rng: random.Random, index: int, tokens: int) -> Step:
    """A step whose text has about so many tokens."""
    words: list[str] = []
    while server.count(render_step(_step(index, words), packs.shipped()["generic"].render)) < tokens:
        words += rng.choices(WORDS, k=4)
    return _step(index, words)


def _step(index: int, words: Sequence[str]) -> Step:
    text, name = " ".join(words), f"s{index}"
    if index == 0:
        return Step(id=name, index=index, role="user", content=text, sources=("t:0",))
    if index % 2:
        call = ToolCall(id=f"c{index}", name="read_file", arguments={"path": text})
        return Step(id=name, index=index, role="agent", tool_calls=(call,), sources=("t:0",))
    return Step(
        id=name, index=index, role="environment", name="read_file", tool_result=text, tool_call_id=f"c{index - 1}",
        sources=("t:0",),
    )  # fmt: skip


async def ways(server: Server, pack: str, run: Trajectory, seed: int) -> dict[str, Cost]:
    """Judges one run in every way."""
    await once(server, pack, run.steps[:2], "warm-up")
    return {
        "once": await once(server, pack, run.steps, f"once-{len(run.steps)}-{seed}"),
        "arriving": await arriving(server, pack, run, f"arriving-{len(run.steps)}-{seed}"),
        "backlog": await backlog(server, pack, run, f"backlog-{len(run.steps)}-{seed}"),
        "window": await window(server, pack, run, f"window-{len(run.steps)}-{seed}"),
        "naive": await naive(server, pack, run, f"naive-{len(run.steps)}-{seed}"),
    }


def guard_of(server: Server, pack: str, salt: str) -> ServerGuard:
    # Random weights say anything: nothing may be unsafe, or labels would be asked for and counted.
    salted = f"{pack.replace('/', '-')}-{salt}"
    return ServerGuard.from_uri(
        f"server:{server.url}?pack={pack}&threshold=0.9999999&margin=0&timeout=300&cache_salt={salted}", environ={}
    )


async def once(server: Server, pack: str, steps: Sequence[Step], salt: str) -> Cost:
    guard = guard_of(server, pack, salt)
    await guard.health()
    verdict, seconds = await _one(guard, steps)
    await guard.close()
    return Cost.of([verdict], seconds)


async def _one(guard: ServerGuard, steps: Sequence[Step]) -> tuple[Verdict, float]:
    session = guard.open(Header(agents={"": Agent(system="You keep the books.")}))
    for each in steps:
        session.extend(each)
    began = time.perf_counter()
    return await session.verdict(), time.perf_counter() - began


async def arriving(server: Server, pack: str, run: Trajectory, salt: str) -> Cost:
    guard = guard_of(server, pack, salt)
    await guard.health()
    terms, verdicts = Terms(policy=POLICY, cache=MemoryCache()), []
    began = time.perf_counter()
    for end in range(2, len(run.steps) + 1):
        done = await look(_cut(run, run.steps[:end]), guard, terms)
        verdicts += [each.verdict for each in done.fresh]
    seconds = time.perf_counter() - began
    await guard.close()
    return Cost.of(verdicts, seconds)


async def backlog(server: Server, pack: str, run: Trajectory, salt: str) -> Cost:
    guard = guard_of(server, pack, salt)
    await guard.health()
    began = time.perf_counter()
    done = await look(run, guard, Terms(policy=POLICY, cache=MemoryCache()))
    seconds = time.perf_counter() - began
    await guard.close()
    return Cost.of([each.verdict for each in done.fresh], seconds)


async def window(server: Server, pack: str, run: Trajectory, salt: str) -> Cost:
    guard = guard_of(server, pack, salt)
    await guard.health()
    found = [await _one(guard, run.steps[max(end - WINDOW, 0) : end]) for end in range(2, len(run.steps) + 1)]
    await guard.close()
    return Cost.of([verdict for verdict, _ in found], sum(seconds for _, seconds in found))


async def naive(server: Server, pack: str, run: Trajectory, salt: str) -> Cost:
    found = []
    for end in range(2, len(run.steps) + 1):
        guard = guard_of(server, pack, f"{salt}-{end}")
        await guard.health()
        found.append(await _one(guard, run.steps[:end]))
        await guard.close()
    return Cost.of([verdict for verdict, _ in found], sum(seconds for _, seconds in found))


def _cut(run: Trajectory, steps: Sequence[Step]) -> Trajectory:
    return Trajectory(
        id=run.id, digest=str(len(steps)), project=run.project, agents=run.agents, completion="open", missing=(),
        scopes=(), steps=tuple(steps),
    )  # fmt: skip


def text(report: dict[str, Any]) -> str:
    """Lays the figures out as Markdown."""
    lines = [f"{report['machine']}, {report['date']}, {report['model']}, vLLM --block-size {vllm.BLOCK}", ""]
    lines += ["Tails of the shipped packs that answer first, in tokens: ", ""]
    lines += [f"- {name}: {tail}" for name, tail in sorted(report["tails"].items(), key=lambda pair: pair[1])]
    names = ("arriving", "backlog", "window", "naive")
    lines += [
        "",
        f"| steps | tail | once: tokens, s | {' | '.join(f'{n}: times the tokens, the wall time' for n in names)} |",
    ]
    lines += ["|---" * (3 + len(names)) + "|"]
    for each in report["rows"]:
        one = each["once"]
        ratios = [f"{each[n]['computed_ratio']:.2f}, {each[n]['wall_ratio']:.1f}" for n in names]
        head = f"{each['steps']} ({each['median_step_tokens']:g} a step) | {each['tail']} ({each['pack']})"
        lines.append(f"| {head} | {one['computed_tokens']}, {one['seconds']} | {' | '.join(ratios)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
