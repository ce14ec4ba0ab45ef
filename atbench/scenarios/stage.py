"""Plays a pack: every task in every telling, so often; what a folder holds already is not played again.

Files of the folder: ``pack.json`` (what was asked of whom), ``episodes.jsonl`` (every run, message by message),
``transcripts.jsonl`` (the same as labelled cases, for `--transcripts` and `atbench run`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from agentdog.base.errors import DecodeError, UsageError
from atbench.ledger import cut_torn_line
from atbench.scenarios.agents import starter
from atbench.scenarios.episode import Episode, Limits, play
from atbench.scenarios.pack import Task

ASKED, EPISODES, TRANSCRIPTS = "pack.json", "episodes.jsonl", "transcripts.jsonl"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What must be the same for two parts of a folder to belong together."""

    pack: str
    pack_sha256: str
    agent: str
    limits: Limits


class Plan(NamedTuple):
    """Which runs there are to be."""

    tasks: Sequence[Task]
    repeats: int
    concurrency: int
    out: Path | None


async def perform(plan: Plan, asked: Asked, done: Callable[[Episode], None]) -> list[Episode]:
    """Plays what the folder lacks; returns every run in order of task, telling and repeat.

    Raises:
        UsageError: the folder holds runs of another pack or agent.
    """
    start = starter(asked.agent)
    wanted = [(task, variant, n) for task in plan.tasks for variant in task.variants for n in range(plan.repeats)]
    kept = {(one.task, one.variant, one.repeat): one for one in _opened(plan.out, asked)}
    waiting = iter([run for run in wanted if (run[0].id, run[1], run[2]) not in kept])

    async def work() -> None:
        for task, variant, repeat in waiting:
            episode = await play(task, variant, repeat, start, asked.limits)
            if plan.out is not None:
                with (plan.out / EPISODES).open("ab") as file:
                    file.write(msgspec.json.encode(episode) + b"\n")
            kept[task.id, variant, repeat] = episode
            done(episode)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.concurrency):
                group.create_task(work())
    except ExceptionGroup as errors:  # Python before 3.11.4 wraps whatever is raised in an `except*`
        wrong = errors.subgroup(UsageError)
        if wrong is None:
            raise
        raise wrong.exceptions[0] from None
    return [kept[task.id, variant, repeat] for task, variant, repeat in wanted]


def _opened(out: Path | None, asked: Asked) -> list[Episode]:
    if out is None:
        return []
    out.mkdir(parents=True, exist_ok=True)
    place = out / ASKED
    if place.exists():
        try:
            there = msgspec.json.decode(place.read_bytes(), type=Asked)
        except msgspec.DecodeError as error:
            raise DecodeError(f"{place}: {error}; name another --out") from error
        for name in Asked.__struct_fields__:
            if getattr(there, name) != getattr(asked, name):
                raise UsageError(f"{out} holds runs with another {name} ({getattr(there, name)}); name another --out")
    else:
        place.write_bytes(msgspec.json.encode(asked) + b"\n")
    kept = out / EPISODES
    cut_torn_line(kept)  # what it told of is played again
    try:
        return msgspec.json.Decoder(Episode).decode_lines(kept.read_bytes()) if kept.exists() else []
    except msgspec.DecodeError as error:
        raise DecodeError(f"{kept}: {error}") from error
