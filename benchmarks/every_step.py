#!/usr/bin/env python3
"""What judging every step costs against judging once, by a real vLLM server.

    python -m benchmarks.every_step [--steps 10,20,40] [--seeds N] [--tiny | --server URL] [--concurrent N] [--json]

Random runs whose steps have a median of 133 ± 20 tokens. *Computed* prompt tokens are prompt tokens minus those that
the server says its prefix cache held. With a cache of its own (`cache_salt`) for each run and each way:

* once: the last prefix, one verdict;
* arriving: through the engine, a look after each step, agent and environment steps judged;
* backlog: through the engine, the whole run at once: the newest prefix first, then the others, eight at a time;
* window: every step, the text cut to its newest ten steps;
* naive: every step, each prefix read from its beginning (no cache).

`--concurrent N` takes N runs at a time in each way, so that a GPU has something to do; seconds are then of all N.

The tail is what stands behind the trajectory in a pack's prompt, the chat template's end included: it is computed anew
for every verdict. Without `--server`, vLLM runs on the CPU (`--block-size 32`) and the model has random weights (27
million parameters; --tiny: one million): tokens and ratios are those of any model with this tokenizer, seconds are this
machine's, verdicts mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from agentdog.diagnosis import MemoryCache, Policy, Terms, look
from agentdog.guards import Outcome, Verdict, packs
from agentdog.guards.packs import Pack
from agentdog.guards.served import Served
from agentdog.guards.server import ServerGuard
from agentdog.trajectory import Agent, Header, Step, ToolCall, Trajectory
from agentdog.trajectory.render import render_step
from benchmarks.processes import machine
from benchmarks.served import Server, add_arguments, guard_server
from tests.support import vllm_server as vllm

MEDIAN, SPREAD = 133, 20
WINDOW = 10
#: A tail of seventy tokens: words are added to a shipped pack's until it has that many.
TAIL = 70
TAIL_WORDS = "Think of every step and of what it leads to before you answer with that one word"
POLICY = Policy(observations="all")
_SAMPLE = 400  # words by which the length of a word is told
_SALT: ContextVar[str] = ContextVar("salt")
Way = Callable[[ServerGuard, Trajectory], Awaitable[Sequence[Verdict]]]
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


def main() -> int:
    """Finds or starts the server and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", default="10,20,40")
    parser.add_argument("--seeds", type=int, default=1, help="how often, each time with other runs; medians are shown")
    parser.add_argument("--concurrent", type=int, default=1, metavar="N", help="runs at a time (default: 1)")
    parser.add_argument("--tiny", action="store_true", help="the smallest model, where the server is started here")
    parser.add_argument("--pack", help="this pack only; without it, one with a tail of 70 and that with the shortest")
    parser.add_argument("--ways", default=",".join(WAYS), help="which ways, `once` first (default: all)")
    add_arguments(parser)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lengths, chosen = [int(part) for part in options.steps.split(",")], options.ways.split(",")
    if chosen[0] != "once" or not {*chosen} <= {*WAYS}:
        parser.error(f"--ways: `once` first, then any of {', '.join(WAYS)}")
    with (
        tempfile.TemporaryDirectory() as folder,
        guard_server(options.server, None if options.tiny else "qwen3_wide") as server,
    ):
        report = measure(server, Path(folder), lengths, options)
    report |= {
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d"),
        "server": options.server
        or f"on the CPU, --block-size {vllm.BLOCK}, {'1' if options.tiny else '27'} million random parameters, float32",
        "concurrent": options.concurrent,
        "in_flight": options.in_flight,
    }
    print(json.dumps(report, indent=2) if options.json else text(report))
    return 0


def measure(server: Server, folder: Path, lengths: Sequence[int], options: argparse.Namespace) -> dict[str, Any]:
    """Measures every length with two packs: one with a tail of 70 tokens, and the shipped one with the shortest."""
    shipped = {n: p for n, p in packs.shipped().items() if p.family == "verdict_first" and p.refused is None}
    tails = {name: server.tail(pack) for name, pack in shipped.items()}
    shortest = min(tails, key=lambda name: tails[name])
    chosen = {str(seventy(server, folder)): TAIL, shortest: tails[shortest]}
    if options.pack:
        chosen = {pack: tail for pack, tail in (chosen | tails).items() if _named(pack) == options.pack}
    if not chosen:
        raise SystemExit(f"no pack {options.pack} that answers first; there are tail-of-70, {', '.join(sorted(tails))}")
    rows = []
    for length in lengths:
        groups = [
            [run_of(server, length, seed * options.concurrent + number) for number in range(options.concurrent)]
            for seed in range(options.seeds)
        ]
        steps = groups[0][0].steps
        size = statistics.median(server.count(render_step(s, packs.shipped()[shortest].render)) for s in steps)
        for pack, tail in chosen.items():
            costs = [asyncio.run(ways(server, pack, runs, options)) for runs in groups]
            rows.append(row(length, _named(pack), tail, size, costs, options.concurrent))
            print(f"{length} steps, {_named(pack)}: done", file=sys.stderr, flush=True)
    return {"tails": tails, "rows": rows}


def _named(pack: str) -> str:
    """A pack's name; one of our own making is named by its file."""
    return Path(pack).name.removesuffix(".yaml")


def row(length: int, pack: str, tail: int, size: float, costs: Sequence[dict[str, Cost]], runs: int) -> dict[str, Any]:
    """Tokens and seconds are those of one of the runs that were judged at a time."""
    once = [cost["once"] for cost in costs]
    found: dict[str, Any] = {"steps": length, "pack": pack, "tail": tail, "median_step_tokens": size}
    for way in costs[0]:
        tokens = [cost[way].computed / one.computed for cost, one in zip(costs, once, strict=True)]
        wall = [cost[way].seconds / one.seconds for cost, one in zip(costs, once, strict=True)]
        found[way] = {
            "verdicts": costs[0][way].verdicts // runs,
            "prompt_tokens": round(statistics.mean(cost[way].prompt for cost in costs) / runs),
            "computed_tokens": round(statistics.mean(cost[way].computed for cost in costs) / runs),
            "seconds": round(statistics.median(cost[way].seconds for cost in costs) / runs, 3),
            "verdicts_a_second": round(statistics.median(cost[way].verdicts / cost[way].seconds for cost in costs), 1),
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
    per_word = server.count(" ".join(rng.choices(WORDS, k=_SAMPLE))) / _SAMPLE
    plain = packs.shipped()["generic"].render
    around = [server.count(render_step(_step(index, ["x"]), plain)) for index in range(3)]  # request, call, answer
    steps = []
    for index in range(length):
        tokens = MEDIAN + rng.randint(-SPREAD, SPREAD) - around[index and 2 - index % 2]
        steps.append(_step(index, rng.choices(WORDS, k=round(tokens / per_word))))
    return Trajectory(
        id=f"run-{seed}", digest="d", project="p", agents={"": Agent(system="You keep the books.")}, completion="open",
        missing=(), scopes=(), steps=tuple(steps),
    )  # fmt: skip


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


class Salted(ServerGuard):
    """A guard that keeps the cache of every run and way apart."""

    def _extra(self, served: Served) -> Mapping[str, Any]:
        return {**super()._extra(served), "cache_salt": _SALT.get()}


async def ways(server: Server, pack: str, runs: Sequence[Trajectory], options: argparse.Namespace) -> dict[str, Cost]:
    """Judges some runs at a time in every way."""
    guard = Salted.from_uri(server.guard(pack, options.in_flight), environ={})
    await guard.health()
    await asyncio.gather(*(_salted(once, guard, _cut(run, run.steps[:2])) for run in runs))  # warms up
    found = {}
    for name in options.ways.split(","):
        began = time.perf_counter()
        given = await asyncio.gather(*(_salted(WAYS[name], guard, run) for run in runs))
        found[name] = Cost.of([verdict for each in given for verdict in each], time.perf_counter() - began)
    await guard.close()
    return found


async def _salted(way: Way, guard: ServerGuard, run: Trajectory) -> Sequence[Verdict]:
    _SALT.set(os.urandom(8).hex())  # of this task and those that it begins
    return await way(guard, run)


async def once(guard: ServerGuard, run: Trajectory) -> Sequence[Verdict]:
    return [await _one(guard, run.steps)]


async def _one(guard: ServerGuard, steps: Sequence[Step]) -> Verdict:
    session = guard.open(Header(agents={"": Agent(system="You keep the books.")}))
    for each in steps:
        session.extend(each)
    return await session.verdict()


async def arriving(guard: ServerGuard, run: Trajectory) -> Sequence[Verdict]:
    terms, verdicts = Terms(policy=POLICY, cache=MemoryCache()), []
    for end in range(2, len(run.steps) + 1):
        done = await look(_cut(run, run.steps[:end]), guard, terms)
        verdicts += [each.verdict for each in done.fresh]
    return verdicts


async def backlog(guard: ServerGuard, run: Trajectory) -> Sequence[Verdict]:
    done = await look(run, guard, Terms(policy=POLICY, cache=MemoryCache()))
    return [each.verdict for each in done.fresh]


async def window(guard: ServerGuard, run: Trajectory) -> Sequence[Verdict]:
    return [await _one(guard, run.steps[max(end - WINDOW, 0) : end]) for end in range(2, len(run.steps) + 1)]


async def naive(guard: ServerGuard, run: Trajectory) -> Sequence[Verdict]:
    found = []
    for end in range(2, len(run.steps) + 1):
        _SALT.set(os.urandom(8).hex())
        found.append(await _one(guard, run.steps[:end]))
    return found


WAYS: dict[str, Way] = {"once": once, "arriving": arriving, "backlog": backlog, "window": window, "naive": naive}


def _cut(run: Trajectory, steps: Sequence[Step]) -> Trajectory:
    return Trajectory(
        id=run.id, digest=str(len(steps)), project=run.project, agents=run.agents, completion="open", missing=(),
        scopes=(), steps=tuple(steps),
    )  # fmt: skip


def text(report: dict[str, Any]) -> str:
    """Lays the figures out as Markdown."""
    many = f"{report['concurrent']} runs at a time, {report['in_flight']} requests in flight"
    lines = [f"{report['machine']}, {report['date']}, vLLM {report['server']}, {many}", ""]
    lines += ["Tails of the shipped packs that answer first, in tokens: ", ""]
    lines += [f"- {name}: {tail}" for name, tail in sorted(report["tails"].items(), key=lambda pair: pair[1])]
    names = [name for name in WAYS if name != "once" and name in report["rows"][0]]
    lines += [
        "",
        f"| steps | tail | once: tokens, s | {' | '.join(f'{n}: tokens, wall time (verdicts/s)' for n in names)} |",
    ]
    lines += ["|---" * (3 + len(names)) + "|"]
    for each in report["rows"]:
        one = each["once"]
        ratios = [
            f"{each[n]['computed_ratio']:.2f}, {each[n]['wall_ratio']:.1f} ({each[n]['verdicts_a_second']:g})"
            for n in names
        ]
        head = f"{each['steps']} ({each['median_step_tokens']:g} a step) | {each['tail']} ({each['pack']})"
        lines.append(f"| {head} | {one['computed_tokens']}, {one['seconds']} | {' | '.join(ratios)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
