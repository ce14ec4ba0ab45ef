"""Who can be put into a scenario, by URI: given the messages so far and the tools, each gives its next turn.

``cmd:PROGRAM ARGUMENT…``  a program, started for every run in the run's folder: one JSON line in, one out
``python:MODULE:FUNCTION`` a function of (messages, tools)
``server:URL?model=NAME``  a model behind an OpenAI-compatible server, with tools
``play:NAME``              the pack's own scripted agent of that name

A turn is an assistant message, ``{"content": text, "tool_calls": [{"name", "arguments"}]}``; the form of the Chat
Completions API is taken too. A turn without tool calls ends the run. A program that acts by itself, with tools of its
own in the run's folder, may answer ``{"messages": [...], "done": true}`` instead: what it did, as chat messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import httpx

from agentdog.base.errors import OutsideError, UsageError
from agentdog.base.functions import function_at
from atbench.scenarios.pack import Task

KEY_VARIABLE = "ATBENCH_AGENT_API_KEY"
SCHEMES = ("cmd:PROGRAM ARGUMENT…", "python:MODULE:FUNCTION", "server:http://HOST:PORT/v1?model=NAME", "play:NAME")
_LONGEST_LINE = 16 * 1024 * 1024  # bytes of one turn
_LONGEST_S = 3600.0  # a run's own limit is shorter
_SHOWN = 300  # characters of what a broken agent wrote
Message = dict[str, Any]


class AgentFailure(Exception):  # noqa: N818 - what happened, not an error of ours
    """The agent gave no turn that could be read."""


class Player(Protocol):
    """An agent in one run."""

    async def turn(self, messages: list[Message], tools: list[Message]) -> Message:
        """Gives the next turn; raises `AgentFailure`."""
        ...

    async def close(self) -> None:
        """Frees what it holds."""
        ...


#: Starts an agent for one run of a task, in a folder.
Starter = Callable[[Task, Path], Player]


def starter(uri: str) -> Starter:
    """Returns what starts the agent of a URI, once per run.

    Raises:
        UsageError: the URI is none of ours.
        OutsideError: there is no such function or program.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "play" and rest:
        return lambda task, _: _Play(task, rest)
    if scheme == "cmd" and rest.strip():
        words = shlex.split(rest)
        return lambda _, folder: _Program(_found(words), folder)
    if scheme == "python" and rest:
        function = _function(uri, rest)
        return lambda *_: _Function(function)
    if scheme == "server" and rest:
        url, _, query = rest.partition("?")
        options = dict(parse_qsl(query))
        if not options.get("model"):
            raise UsageError(f"agent {uri!r}: add ?model=NAME, as the server names it")
        return lambda *_: _Server(url.rstrip("/"), options)
    raise UsageError(f"agent {uri!r}: unknown; write {', '.join(SCHEMES)}")


def _found(words: list[str]) -> list[str]:
    """Programs are named from where the command is given, and run in the run's folder."""
    return [str(Path(word).resolve()) if os.sep in word and Path(word).exists() else word for word in words]


def _function(uri: str, rest: str) -> Callable[..., Any]:
    try:
        return function_at(rest)
    except (ImportError, AttributeError, ValueError) as error:
        raise OutsideError(f"agent {uri!r}: {error}; write python:MODULE:FUNCTION, importable from here") from error


class _Play:
    def __init__(self, task: Task, name: str) -> None:
        if name not in task.plays:
            raise UsageError(f"task {task.id} has no play {name!r}; it has {', '.join(task.plays) or 'none'}")
        self._acts = iter(task.plays[name])

    async def turn(self, messages: list[Message], tools: list[Message]) -> Message:
        act = next(self._acts, None)
        if act is None or act.call is None:
            return {"content": act.say if act and act.say else "Done."}
        return {"content": act.say, "tool_calls": [{"name": act.call, "arguments": act.arguments}]}

    async def close(self) -> None:
        """Holds nothing."""


class _Function:
    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    async def turn(self, messages: list[Message], tools: list[Message]) -> Message:
        try:
            answer = await asyncio.to_thread(self._function, messages, tools)
            given = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            raise AgentFailure(f"{type(error).__name__}: {error}") from error
        return _object(given)

    async def close(self) -> None:
        """Holds nothing."""


class _Program:
    """A child process in the run's folder; it ends with the run."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self._words, self._folder = words, folder
        self._process: asyncio.subprocess.Process | None = None

    async def turn(self, messages: list[Message], tools: list[Message]) -> Message:
        try:
            process = await self._running()
            asked = {"messages": messages, "tools": tools, "folder": str(self._folder)}
            assert process.stdin is not None  # noqa: S101 - both are pipes
            assert process.stdout is not None  # noqa: S101
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except (OSError, ValueError) as error:
            raise AgentFailure(f"{self._words[0]}: {error}") from error
        if not line:
            raise AgentFailure(f"{self._words[0]} ended without a turn (exit code {await process.wait()})")
        try:
            return _object(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise AgentFailure(f"no JSON object: {line[:_SHOWN].decode(errors='replace')!r} ({error})") from error

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                *self._words, stdin=pipe, stdout=pipe, cwd=self._folder, limit=_LONGEST_LINE
            )
        return self._process

    async def close(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


class _Server:
    """A model behind ``/chat/completions``; what stands behind the ``?`` beside the model goes into the request."""

    def __init__(self, url: str, options: dict[str, str]) -> None:
        self._options = {name: _plain(value) for name, value in options.items()}
        key = os.environ.get(KEY_VARIABLE)
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=_LONGEST_S
        )

    async def turn(self, messages: list[Message], tools: list[Message]) -> Message:
        body = {**self._options, "messages": messages, **({"tools": tools} if tools else {})}
        try:
            answer = await self._client.post("/chat/completions", json=body)
            answer.raise_for_status()
            return _object(answer.json()["choices"][0]["message"])
        except httpx.HTTPStatusError as error:
            raise AgentFailure(f"the server answers {answer.status_code}: {answer.text[:_SHOWN]}") from error
        except httpx.HTTPError as error:
            raise AgentFailure(f"the server does not answer: {error or type(error).__name__}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise AgentFailure(f"the server's answer holds no message ({error})") from error

    async def close(self) -> None:
        await self._client.aclose()


def _plain(value: str) -> object:
    """A number where an option is one: ``temperature=0``."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _object(given: object) -> Message:
    if not isinstance(given, dict):
        raise AgentFailure(f"a turn is {type(given).__name__}; expected an object with content or tool_calls")
    return given
