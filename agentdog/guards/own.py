"""A guard of the user's own: a Python function, or a program that reads and writes JSON lines.

Both are given one prefix as ``{"header": ..., "steps": [...]}`` (the fields of `agentdog.trajectory`) and answer with
``{"p_unsafe": 0.9}`` or ``{"verdict": "unsafe"}``, and may add ``labels`` (any known spelling) and ``detail``.
Invariant: whatever they answer, and whether they answer at all, a verdict comes of it and no exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import json
import shlex
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

import taxonomy
from agentdog.base.errors import GuardUnavailable
from agentdog.base.functions import function_at
from agentdog.base.ids import digest
from agentdog.guards.deciding import Rule
from agentdog.guards.protocol import GuardInfo, Health
from agentdog.guards.verdict import Labels, Outcome, Reason, Verdict, kept
from agentdog.trajectory import Agent, Header, Step

_RULE = Rule(threshold=0.5)
_TIMEOUT_S = 60.0
_LONGEST_LINE = 16 * 1024 * 1024  # bytes of one answer
_NOTE = "A guard of your own; what it answers is taken as it is."
Ask = Callable[[dict[str, Any]], Awaitable[Any]]
Close = Callable[[], Awaitable[None]]


class Silent(Exception):  # noqa: N818 - what happened, not an error of ours
    """The user's guard did not answer."""


class Unread(ValueError):  # noqa: N818 - what happened, not an error of ours
    """A program's line is no JSON, or answers another question; `line` is what it wrote."""

    def __init__(self, why: str, line: str) -> None:
        super().__init__(why)
        self.line = line


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be answered; `id` is the one that was asked with."""

    p_unsafe: float | None = None
    verdict: Literal["safe", "unsafe"] | None = None
    labels: dict[taxonomy.AxisId, str] = {}
    detail: str | None = None
    id: int | None = None


class OwnGuard:
    """Judges by asking a function or a program."""

    def __init__(
        self, uri: str, fingerprint: str, ask: Ask, close: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._ask = ask
        self._close = close
        self._info = GuardInfo(name=uri, uri=uri, fingerprint=fingerprint, note=_NOTE)

    @property
    def info(self) -> GuardInfo:
        """Who it is."""
        return self._info

    def open(self, header: Header) -> OwnSession:
        """Starts a session for one trajectory."""
        return OwnSession(self, header)

    async def health(self) -> Health:
        """Asks about a run in which nothing happened but a greeting."""
        session = self.open(Header(agents={"": Agent()}))
        session.extend(Step(id="hello", index=0, role="user", content="Hello.", sources=("hello:0",)))
        verdict = await session.verdict()
        if verdict.reason is None:
            return Health(ok=True, detail=f"answers {verdict.outcome}")
        return Health(ok=False, detail=f"{verdict.reason}: {verdict.detail}", mend='answer {"p_unsafe": 0.5}')

    async def close(self) -> None:
        """Ends the program."""
        if self._close is not None:
            await self._close()

    async def judge(self, header: Header, steps: list[Step]) -> Verdict:
        """Asks about a prefix."""
        began, guard, raw = time.perf_counter(), self._info.fingerprint, None
        asked = {"header": msgspec.to_builtins(header), "steps": msgspec.to_builtins(steps)}
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                given = await self._ask(asked)
            raw = _written(given)
            answer = _read(given)
        except TimeoutError:
            reason, detail = Reason.TIMED_OUT, f"no answer within {_TIMEOUT_S:g} s"
        except (msgspec.ValidationError, ValueError) as error:
            reason, detail = Reason.UNPARSABLE, str(error)
            raw = kept(error.line) if isinstance(error, Unread) else raw
        except Exception as error:
            reason, detail = Reason.GUARD_ERROR, f"{type(error).__name__}: {error}"
        else:
            return _verdict(answer, guard, (time.perf_counter() - began) * 1000, raw)
        took, outcome = (time.perf_counter() - began) * 1000, Outcome.NOT_EVALUATED
        return Verdict(outcome=outcome, guard=guard, reason=reason, detail=detail, latency_ms=took, raw=raw)


class OwnSession:
    """One trajectory in front of the user's guard."""

    def __init__(self, guard: OwnGuard, header: Header) -> None:
        self._guard = guard
        self._header = header
        self._steps: list[Step] = []

    def extend(self, step: Step) -> None:
        """Appends one step."""
        self._steps.append(step)

    async def verdict(self) -> Verdict:
        """Judges the prefix that ends in the last step."""
        return await self._guard.judge(self._header, self._steps)


def _read(given: Any) -> Answer:  # noqa: ANN401 - whatever the user's guard answered
    answer = msgspec.convert(given, Answer)
    if answer.p_unsafe is None and answer.verdict is None:
        raise ValueError("the answer holds neither p_unsafe nor verdict")
    if answer.p_unsafe is not None and not 0 <= answer.p_unsafe <= 1:
        raise ValueError(f"p_unsafe is {answer.p_unsafe}; give a probability")
    return answer


def _written(given: object) -> str | None:
    """Returns an answer as text, whatever it is."""
    try:
        return kept(json.dumps(given, ensure_ascii=False, default=repr))
    except (TypeError, ValueError, RecursionError):
        return kept(repr(given))


def _verdict(answer: Answer, guard: str, latency_ms: float, raw: str | None) -> Verdict:
    table = taxonomy.load("all")
    labels = Labels(**{axis: table.normalise(axis, text) for axis, text in answer.labels.items()})
    outcome = Outcome(answer.verdict) if answer.verdict else _RULE.outcome(answer.p_unsafe or 0.0)
    return Verdict(
        outcome=outcome,
        guard=guard,
        p_unsafe=answer.p_unsafe,
        labels=labels if labels != Labels() else None,
        detail=answer.detail,
        latency_ms=latency_ms,
        raw=raw,
    )


def from_function(uri: str) -> OwnGuard:
    """Builds the guard of ``python:module:function``; a plain function runs beside the event loop.

    Raises:
        GuardUnavailable: there is no such module or function.
    """
    place = uri.removeprefix("python:")
    try:
        function = function_at(place)
        source = inspect.getsource(importlib.import_module(place.partition(":")[0]))
    except (ImportError, AttributeError, ValueError, OSError) as error:
        raise GuardUnavailable(f"guard {uri!r}: {error}; write python:MODULE:FUNCTION, importable from here") from error

    async def ask(prefix: dict[str, Any]) -> Any:  # noqa: ANN401
        answer = await asyncio.to_thread(function, prefix)
        return await answer if inspect.isawaitable(answer) else answer

    return OwnGuard(uri, digest("python", uri, source, size=8), ask)


def from_program(uri: str) -> OwnGuard:
    """Builds the guard of ``cmd:PROGRAM ARGUMENT…``; it is started with the first question and kept.

    Raises:
        GuardUnavailable: no program is named.
    """
    try:
        words = shlex.split(uri.removeprefix("cmd:"))
    except ValueError as error:
        raise GuardUnavailable(f"guard {uri!r}: {error}") from error
    if not words:
        raise GuardUnavailable(f"guard {uri!r}: write cmd:PROGRAM, for example cmd:./mine")
    program = _Program(words)
    files = [Path(word).read_bytes() for word in words if Path(word).is_file()]
    return OwnGuard(uri, digest("cmd", uri, *files, size=8), program.ask, program.close)


class _Program:
    """A child process; one question at a time, one line each way."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._asked = 0

    async def ask(self, prefix: dict[str, Any]) -> Any:  # noqa: ANN401
        async with self._turn:
            process = await self._running()
            assert process.stdin is not None  # noqa: S101 - both are pipes
            assert process.stdout is not None  # noqa: S101
            self._asked += 1
            try:
                process.stdin.write(json.dumps({"id": self._asked, **prefix}, ensure_ascii=True).encode() + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
            except BaseException:  # the next answer would be the one to this question
                await self._end()
                raise
            if not line:
                await self._end()
                raise Silent(f"{self._words[0]} ended without an answer")
            try:
                answer = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise Unread(f"the line is no JSON ({error})", line.decode(errors="replace")) from error
            if isinstance(answer, dict) and answer.get("id", self._asked) != self._asked:
                await self._end()
                why = f"the answer is to question {answer['id']}, not to {self._asked}"
                raise Unread(why, line.decode(errors="replace"))
            return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                *self._words, stdin=pipe, stdout=pipe, limit=_LONGEST_LINE
            )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """Ends the program; another question would start it again."""
        await self._end()
