"""Guards asked in another interpreter: the one that has torch, which the tests' own environment is spared.

``python -m tests.support.there`` reads one task as JSON from standard input and writes its outcome: the verdicts of
every prefix of every run, or of whole runs at once, or what ``agentdog guards check`` finds.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from agentdog.base.checks import CheckResult
from agentdog.guards import Verdict, factory
from agentdog.guards.checking import examine
from agentdog.trajectory import Header, Step
from tests.support import vllm_server, wiring_model

_ROOT = Path(__file__).parents[2]
#: Why tests of models in a process are skipped: torch is an extra of 2 GB, which `make test` does without.
NO_TORCH = "no torch here: make .venv-vllm/done, or pip install 'agentdog-sidecar[local]'"


def interpreter() -> Path | None:
    """Finds a Python that has torch and transformers: this one, else that of the vLLM environment."""
    if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
        return Path(sys.executable)
    return None if vllm_server.missing() else vllm_server.PYTHON


def path_of_both() -> str:
    """A ``PYTHONPATH`` by which that interpreter finds our code and, behind its own packages, those of this one."""
    tell = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([str(interpreter()), "-c", tell], check=True, capture_output=True, text=True, timeout=60)
    return os.pathsep.join([str(_ROOT), own.stdout.strip(), sysconfig.get_path("purelib")])


def models(folder: Path, *kinds: str) -> Path:
    """Makes wiring models, one folder each; see `tests.support.wiring_model.write`."""
    command = [str(interpreter()), wiring_model.__file__, str(folder), *kinds]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


class Task(msgspec.Struct, kw_only=True):
    """What is to be done with a guard.

    Attributes:
        uri: of the guard.
        way: ``prefixes`` (one session a run), ``anew`` (a new guard for every prefix), ``whole`` (all runs at once, to
            their ends), ``left`` (the first run's verdict is left at once, then asked for again), ``check``.
    """

    uri: str
    way: str
    header: Header
    runs: list[list[Step]] = []


def verdicts(uri: str, way: str, header: Header, runs: Sequence[Sequence[Step]]) -> list[list[Verdict]]:
    """Has runs judged there; returns the verdicts of each."""
    return msgspec.convert(
        _ask(Task(uri=uri, way=way, header=header, runs=[list(r) for r in runs])), list[list[Verdict]]
    )


def check(uri: str) -> list[CheckResult]:
    """Has a guard examined there."""
    return msgspec.convert(_ask(Task(uri=uri, way="check", header=Header(agents={}))), list[CheckResult])


def _ask(task: Task) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    process = subprocess.run(
        [str(interpreter()), "-m", "tests.support.there"],
        check=False,
        input=msgspec.json.encode(task),
        capture_output=True,
        cwd=_ROOT,
        env=environment,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr.decode(errors="replace")[-3000:]
    return json.loads(process.stdout)


async def _prefixes(uri: str, header: Header, run: Sequence[Step]) -> list[Verdict]:
    guard = factory.build(uri)
    session, found = guard.open(header), []
    for step in run:
        session.extend(step)
        found.append(await session.verdict())
    await guard.close()
    return found


async def _anew(uri: str, header: Header, run: Sequence[Step]) -> list[Verdict]:
    return [(await _whole(uri, header, [run[: end + 1]]))[0][0] for end in range(len(run))]


async def _whole(uri: str, header: Header, runs: Sequence[Sequence[Step]]) -> list[list[Verdict]]:
    guard = factory.build(uri)

    async def judged(run: Sequence[Step]) -> list[Verdict]:
        session = guard.open(header)
        for step in run:
            session.extend(step)
        return [await session.verdict()]

    found = await asyncio.gather(*(judged(run) for run in runs))
    await guard.close()
    return found


async def _left(uri: str, header: Header, run: Sequence[Step]) -> list[Verdict]:
    """The second verdict waits for the thread that works on the first: the shorter, the sooner that one stopped."""
    guard = factory.build(uri)
    assert (await guard.health()).ok
    sessions = [guard.open(header), guard.open(header), guard.open(header)]
    for session, steps in zip(sessions, (run[:1], run, run[:1]), strict=True):
        for step in steps:
            session.extend(step)
    found = [await sessions[0].verdict()]
    asking = asyncio.create_task(sessions[1].verdict())
    await asyncio.sleep(0.3)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert asking.cancelled()
    found += [await sessions[2].verdict(), await sessions[1].verdict()]
    await guard.close()
    return found


async def _done(task: Task) -> Any:
    if task.way == "whole":
        return await _whole(task.uri, task.header, task.runs)
    if task.way == "check":
        guard = factory.build(task.uri)
        found = await examine(guard)
        await guard.close()
        return found
    ways = {"prefixes": _prefixes, "anew": _anew, "left": _left}
    return [await ways[task.way](task.uri, task.header, run) for run in task.runs]


if __name__ == "__main__":
    done = asyncio.run(_done(msgspec.json.decode(sys.stdin.buffer.read(), type=Task)))
    sys.stdout.buffer.write(msgspec.json.encode(done))
