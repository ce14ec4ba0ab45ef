"""One run of a scenario: the agent and its tools take turns until it has nothing to call; then it is looked at.

Invariant: every run gives one `Episode`, whatever the agent does. A run that broke off is no clean run: unless a rule
was broken before, it counts as not evaluated.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import msgspec

from atbench.scenarios.agents import AgentFailure, Message, Player, Starter
from atbench.scenarios.pack import Task
from atbench.scenarios.place import Place

Ended = Literal["answered", "too_many_turns", "timed_out", "agent_error"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a run may be: agent turns, and seconds in all."""

    turns: int = 30
    seconds: float = 600.0


class Episode(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One run as it is kept.

    Attributes:
        task: id; `variant` how it was told; `repeat` which time, counted from 0.
        ended: how.
        error: of an agent that failed.
        violations: what broke the rules, in the pack's words.
        done: the task was brought about; ``None`` when the pack does not say what that is.
        messages: what was said and done, as chat messages.
        tools: what was offered.
        seconds: it took.
    """

    task: str
    variant: str
    repeat: int = 0
    ended: Ended
    error: str | None = None
    violations: tuple[str, ...] = ()
    done: bool | None = None
    messages: list[Message]
    tools: list[Message]
    seconds: float

    @property
    def label(self) -> int | None:
        """1 when a rule was broken, 0 when none was, ``None`` when the run broke off before any was."""
        if self.violations:
            return 1
        return 0 if self.ended in ("answered", "too_many_turns") else None

    @property
    def name(self) -> str:
        """An id within the pack's runs."""
        return f"{self.task}/{self.variant}/{self.repeat}"


async def play(task: Task, variant: str, repeat: int, start: Starter, limits: Limits) -> Episode:
    """Plays one run in a folder of its own, which is removed afterwards."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="atbench-") as folder:
        place = Place(task, Path(folder))
        tools = place.tools()
        text = f"{task.task.strip()}\n\n{task.variants[variant].strip()}".strip()
        messages: list[Message] = [
            {"role": "system", "content": task.system.strip()},
            {"role": "user", "content": text},
        ]
        ended, error = await _turns(start(task, place.folder), place, messages, tools, limits)
        last = _last_words(messages)
        return Episode(
            task=task.id,
            variant=variant,
            repeat=repeat,
            ended=ended,
            error=error,
            violations=tuple(c.what for c in task.violation if place.holds(c, last)),
            done=all(place.holds(condition, last) for condition in task.done) if task.done else None,
            messages=messages,
            tools=tools,
            seconds=time.perf_counter() - began,
        )


async def _turns(
    player: Player, place: Place, messages: list[Message], tools: list[Message], limits: Limits
) -> tuple[Ended, str | None]:
    try:
        async with asyncio.timeout(limits.seconds):
            for _ in range(limits.turns):
                turn = await player.turn(messages, tools)
                if _took(turn, place, messages):
                    return "answered", None
    except TimeoutError:
        return "timed_out", f"not done within {limits.seconds:g} s"
    except AgentFailure as failure:
        return "agent_error", str(failure)
    finally:
        await player.close()
    return "too_many_turns", f"not done within {limits.turns} turns"


def _took(turn: Message, place: Place, messages: list[Message]) -> bool:
    """Carries out one turn; tells whether it was the last."""
    if "messages" in turn:
        messages += _own(turn["messages"], place)
        return bool(turn.get("done", True))
    calls = [_call(one, f"call_{len(messages)}_{n}") for n, one in enumerate(turn.get("tool_calls") or ())]
    said: Message = {"role": "assistant", "content": _text(turn.get("content"))}
    if calls:
        said["tool_calls"] = calls
    messages.append(said)
    for call in calls:
        function = call["function"]
        arguments = _arguments(function["arguments"])
        result = (
            place.call(function["name"], arguments)
            if arguments is not None
            else f"error: the arguments of {function['name']} are no JSON object"
        )
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    return not calls


def _call(given: Any, made: str) -> Message:  # noqa: ANN401 - whatever the agent gave
    """Reads a call in either form into that of the Chat Completions API."""
    held = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(held, dict) or not isinstance(held.get("name"), str):
        raise AgentFailure(f"a tool call is {str(given)[:100]!r}; expected an object with name and arguments")
    arguments = held.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return {
        "id": str(given.get("id") or made),
        "type": "function",
        "function": {"name": held["name"], "arguments": text},
    }


def _arguments(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _own(given: Any, place: Place) -> list[Message]:  # noqa: ANN401
    """Takes what an agent did by itself; calls count as calls, what they did shows in the folder."""
    if not isinstance(given, list) or not all(
        isinstance(one, dict) and isinstance(one.get("role"), str) for one in given
    ):
        raise AgentFailure("messages must be a list of chat messages, each with its role")
    taken: list[Message] = []
    for number, one in enumerate(given):
        message = dict(one)
        if one["role"] == "assistant" and one.get("tool_calls"):
            message["tool_calls"] = [_call(call, f"call_own_{number}_{n}") for n, call in enumerate(one["tool_calls"])]
            for call in message["tool_calls"]:
                place.note(call["function"]["name"], _arguments(call["function"]["arguments"]) or {})
        taken.append(message)
    return taken


def _text(content: Any) -> str | None:  # noqa: ANN401
    if content is None or isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict)) or str(content)


def _last_words(messages: list[Message]) -> str:
    said = (one.get("content") for one in reversed(messages) if one.get("role") == "assistant")
    return next((text for text in said if isinstance(text, str) and text), "")
