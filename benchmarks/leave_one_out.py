"""What it costs to say what moved a verdict: every step left out once, each variant read anew, and all led abreast.

``python -m benchmarks.leave_one_out [--steps 30 60 120 240] [--repeats 5] [--json]`` asks the embedded guard about
generated runs, the two ways in turn, and prints medians of CPU seconds. Both give the same numbers, or it stops.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time

from agentdog.attribution import verdicts
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.trajectory import Agent, Header, Step, ToolCall, Trajectory

_WORDS = (
    "order",
    "customer",
    "parcel",
    "invoice",
    "refund",
    "account",
    "status",
    "delivery",
    "payment",
    "ticket",
    "note",
)
_TOOLS = ("read_email", "get_invoice", "list_files", "send_money", "search_web", "update_ticket")


def generated(count: int, seed: int = 0) -> Trajectory:
    """Makes a run of calls and results with addresses, amounts and paths in them; the same for the same seed."""
    drawn = random.Random(seed)
    steps = [Step(id="0", index=0, role="user", content=f"Please settle {_text(drawn)}", sources=())]
    for index in range(1, count):
        if index % 2:
            arguments = {"to": f"{drawn.choice(_WORDS)}{drawn.randint(1, 40)}@corp.test", "about": _text(drawn, 12)}
            call = ToolCall(id=str(index), name=drawn.choice(_TOOLS), arguments=arguments)
            own = Step(
                id=str(index), index=index, role="agent", thought=_text(drawn, 30), tool_calls=(call,), sources=()
            )
        else:
            text = f"{_text(drawn)} See /srv/{drawn.choice(_WORDS)}/{drawn.randint(1, 99)}.csv."
            own = Step(id=str(index), index=index, role="environment", tool_result=text, sources=())
        steps.append(own)
    return Trajectory(
        id="run",
        digest="d",
        project="p",
        agents={"": Agent(system="You settle accounts.")},
        completion="final",
        missing=(),
        scopes=(),
        steps=tuple(steps),
    )


def _text(drawn: random.Random, words: int = 70) -> str:
    told = [drawn.choice(_WORDS) if drawn.random() < 0.9 else str(drawn.randint(10, 99999)) for _ in range(words)]
    return " ".join(told).capitalize() + "."


async def anew(run: Trajectory) -> list[float | None]:
    """Every variant by a session of its own."""
    found = []
    for out in range(len(run.steps) - 1):
        session = EmbeddedGuard().open(Header.of(run))
        for step in run.steps:
            if step.index != out:
                session.extend(step)
        found.append((await session.verdict()).p_unsafe)
    return found


async def abreast(run: Trajectory) -> list[float]:
    """As the product does."""
    found = await verdicts.explain(EmbeddedGuard(), run, len(run.steps) - 1, top_k=0)
    return [found.baseline - step.score for step in found.steps]


def main() -> None:
    """Prints a row a length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="*", default=[30, 60, 120, 240])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for count in given.steps:
        run = generated(count)
        seconds: dict[str, list[float]] = {"anew": [], "abreast": []}
        for _ in range(given.repeats):
            answers = []
            for name, way in (("anew", anew), ("abreast", abreast)):
                began = time.process_time()
                answers.append(asyncio.run(way(run)))
                seconds[name].append(time.process_time() - began)
            if [round(p or 0, 4) for p in answers[0]] != [round(p or 0, 4) for p in answers[1]]:
                raise SystemExit(f"{count} steps: the two ways differ")
        slow, fast = (statistics.median(seconds[name]) for name in ("anew", "abreast"))
        if given.json:
            print(json.dumps({"steps": count, "anew_s": slow, "abreast_s": fast, "ratio": slow / fast}))
        else:
            print(
                f"{count} steps: anew {slow:.2f} s, abreast {fast:.2f} s of CPU, {slow / fast:.1f} times less",
                flush=True,
            )


if __name__ == "__main__":
    main()
