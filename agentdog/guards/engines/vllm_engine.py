"""``vllm:PATH``: vLLM's engine for batch work, without a server; in a process beside this one.

vLLM brings its own pinned world, so it may live in another environment: any interpreter that has it will do. Requests
in flight at once are one batch. Invariant: when that process ends, for whatever reason, nobody is left waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentdog.base.errors import GuardUnavailable
from agentdog.guards.chat_api import Answer, Candidate, ChatFailure, Position, Usage
from agentdog.guards.engines import vllm_worker
from agentdog.guards.engines.engine import Ask, Enough, Messages, Shape, check_room
from agentdog.guards.engines.folder import ModelFolder
from agentdog.guards.verdict import Reason

_LONGEST_LINE = 64 * 1024 * 1024  # bytes; a long prompt's tokens, or a long answer's
_TAIL = 12  # lines of the engine's own words that a failure is told with
_LAST_WORDS_S = 5.0  # for what a dead process left in its pipes
_REST_S = 60.0  # before starting is tried again


def interpreter(given: str | None) -> str:
    """Returns the interpreter that has vLLM; raises `GuardUnavailable` with the remedy where there is none."""
    if given is not None:
        if not (Path(given).is_file() and os.access(given, os.X_OK)):
            raise GuardUnavailable(f"guard option python: no program {given}; give the interpreter of an environment")
        return given
    if importlib.util.find_spec("vllm") is None:
        raise GuardUnavailable(
            "a vllm guard needs vLLM, not installed here: pip install 'agentdog-sidecar[vllm]', or name an interpreter "
            "that has it, vllm:PATH?python=/path/to/bin/python"
        )
    return sys.executable


class VllmEngine:
    """A worker process; started with the first question, and again after it ended."""

    def __init__(self, folder: ModelFolder, python: str, arguments: Mapping[str, Any]) -> None:
        self.folder = folder
        self._command = [python, vllm_worker.__file__, json.dumps({"model": str(folder.path), **arguments})]
        self._process: asyncio.subprocess.Process | None = None
        self._context = 0
        self._asked = 0
        self._waiting: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._words: deque[str] = deque(maxlen=_TAIL)
        self._tasks: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()
        self._failed: tuple[float, str] | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.name

    @property
    def state(self) -> str:
        """Says whether it runs."""
        return "running" if self._process is not None else "not started yet"

    async def start(self) -> int:
        """Starts the process where it does not run; returns the model's context in tokens."""
        async with self._starting:
            if self._process is None:
                if self._failed is not None and time.monotonic() - self._failed[0] < _REST_S:
                    raise ChatFailure(Reason.GUARD_UNREACHABLE, self._failed[1], servers=True)
                try:
                    await self._begin()
                except ChatFailure as failure:
                    self._failed = (time.monotonic(), failure.detail)
                    raise
        return self._context

    async def tokens(self, text: str) -> list[int]:
        """Tokenises a text by itself."""
        return await self._tokens({"text": text})

    async def conversation(self, messages: Messages, shape: Shape) -> list[int]:
        """Returns the tokens of a conversation in the model's own template."""
        fields = {"add_generation_prompt": shape.begin and not shape.go_on, "continue_final_message": shape.go_on}
        return await self._tokens({"messages": list(messages), "shape": {**fields, **shape.template}})

    async def write(self, prompt: Sequence[int], ask: Ask, enough: Enough | None = None) -> Answer:
        """Writes behind a prompt; cancelled in the engine when its caller leaves or has enough."""
        check_room(prompt, ask, await self.start())
        request = {"prompt": list(prompt), **ask._asdict(), "stream": enough is not None}
        text, finish, usage = "", None, Usage()
        positions: list[Position] = []
        async with contextlib.aclosing(self._ask(request)) as answers:
            async for event in answers:
                positions += _positions(event)
                text, finish = text + event["text"], event["finish"]
                usage = Usage(event["prompt"], event["cached"], len(positions))
                if finish is None and enough is not None and enough(text):
                    finish = "enough"
                    break
        return Answer(text=text, finish=finish, positions=tuple(positions), usage=usage)

    async def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process)
        if process is None and self._tasks:  # it ended before: what reads from it ends by itself
            await asyncio.wait(self._tasks, timeout=_LAST_WORDS_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _tokens(self, request: dict[str, Any]) -> list[int]:
        await self.start()
        async with contextlib.aclosing(self._ask(request)) as answers:
            async for event in answers:
                return list(event["tokens"])
        raise self._ended()

    async def _begin(self) -> None:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, stderr=pipe, limit=_LONGEST_LINE, start_new_session=True
            )
        except OSError as error:
            raise ChatFailure(Reason.GUARD_UNREACHABLE, f"vLLM's engine cannot be started: {error}") from error
        assert process.stdout is not None  # noqa: S101 - all three are pipes
        self._tasks = [asyncio.create_task(self._listen(process))]
        try:
            line = await process.stdout.readline()
            if not line:
                await process.wait()
                await self._tasks[0]  # its last words
                raise self._ended()
            self._context = json.loads(line)["ready"]["context"]
        except BaseException:
            await _end(process)
            raise
        self._process = process
        self._tasks.append(asyncio.create_task(self._receive(process)))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101
        with contextlib.suppress(ValueError):  # a line beyond the limit
            async for line in process.stderr:
                self._words.append(line.decode(errors="replace").rstrip())

    async def _receive(self, process: asyncio.subprocess.Process) -> None:
        """Hands answers to whoever waits, until the process ends."""
        assert process.stdout is not None  # noqa: S101
        try:
            async for line in process.stdout:
                event = json.loads(line)
                if event["id"] in self._waiting:
                    self._waiting[event["id"]].put_nowait(event)
        finally:
            if self._process is process:
                self._process = None
            for queue in self._waiting.values():
                queue.put_nowait({"gone": True})
        await process.wait()  # it ended by itself: nobody else would take note of it

    async def _ask(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        process = self._process
        if process is None or process.stdin is None:
            raise self._ended()
        self._asked += 1
        number, queue = self._asked, asyncio.Queue[dict[str, Any]]()
        self._waiting[number] = queue
        ended = False
        try:
            await self._send(process, {"id": number, **request})
            while not ended:
                event = await queue.get()
                ended = bool(event.get("end") or event.get("error") or event.get("gone"))
                if event.get("gone"):
                    raise self._ended()
                if event.get("error"):
                    raise ChatFailure(Reason.GUARD_ERROR, str(event["error"]))
                yield event
        finally:
            del self._waiting[number]
            if not ended and process.returncode is None and process.stdin is not None:
                process.stdin.write(json.dumps({"cancel": number}).encode() + b"\n")

    async def _send(self, process: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
        assert process.stdin is not None  # noqa: S101
        try:
            process.stdin.write(json.dumps(message).encode() + b"\n")
            await process.stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            raise self._ended() from error

    def _ended(self) -> ChatFailure:
        told = next((word for word in reversed(self._words) if "Error" in word), " ".join(list(self._words)[-1:]))
        return ChatFailure(
            Reason.GUARD_UNREACHABLE, f"vLLM's engine ended: {told or 'it said nothing'}"[:300], servers=True
        )


def _positions(event: Mapping[str, Any]) -> list[Position]:
    """Reads the tokens of an answer, with those listed in their place."""
    found = []
    for entry in event["written"]:
        listed = tuple(Candidate(text or "", logprob, token) for token, text, logprob in entry["listed"])
        own = next((c for c in listed if c.id == entry["token"]), Candidate("", float("nan"), entry["token"]))
        found.append(Position(own, listed))
    return found


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends a process and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
