"""Long texts of a step cut short for a first look, each cut said; the whole is asked for by the field's name. Pure.

Invariants: what a text quotes as evidence stays in what is shown; `Cut.size` is the whole text's length in characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agentdog.base.errors import NotFoundError
from agentdog.trajectory import Step, ToolCall

_TEXTS = ("content", "thought", "reasoning", "tool_result", "error")
_AROUND = 200  # characters shown on each side of a quotation that stands far down


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A text that is not shown whole: ``tool_result``, or ``tool_calls.0.arguments.body``."""

    field: str
    size: int


def shorten(step: Step, limit: int, quotes: Sequence[str]) -> tuple[Step, tuple[Cut, ...]]:
    """Cuts every text of a step to about `limit` characters, keeping what stands around `quotes`."""
    cuts: list[Cut] = []

    def short(field: str, text: str) -> str:
        if len(text) <= limit:
            return text
        cuts.append(Cut(field=field, size=len(text)))
        return _excerpt(text, limit, quotes)

    texts = {name: short(name, text) for name in _TEXTS if (text := getattr(step, name))}
    calls = tuple(_call(call, f"tool_calls.{at}", short) for at, call in enumerate(step.tool_calls))
    return msgspec.structs.replace(step, tool_calls=calls, **texts), tuple(cuts)


def _call(call: ToolCall, where: str, short: Any) -> ToolCall:  # noqa: ANN401 - a closure
    arguments = {}
    for name, value in call.arguments.items():
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        field = f"{where}.arguments.{name}"
        cut = short(field, text)
        arguments[name] = value if cut == text else cut
    raw = short(f"{where}.arguments_raw", call.arguments_raw) if call.arguments_raw else call.arguments_raw
    return msgspec.structs.replace(call, arguments=arguments, arguments_raw=raw)


def _excerpt(text: str, limit: int, quotes: Sequence[str]) -> str:
    shown = text[:limit]
    for quote in quotes:
        at = text.find(quote)
        if at >= 0 and at + len(quote) > limit:
            begin, end = max(limit, at - _AROUND), at + len(quote) + _AROUND
            gap = f"\n[… {begin - limit:,} characters …]\n" if begin > limit else ""
            return f"{shown}{gap}{text[begin:end]}\n[… {max(0, len(text) - end):,} characters …]"
    return f"{shown}\n[… {len(text) - limit:,} characters …]"


def whole(step: Step, field: str) -> str:
    """Returns one text of a step whole.

    Raises:
        NotFoundError: the step has no such text.
    """
    if field in _TEXTS and (text := getattr(step, field)):
        return str(text)
    head, _, rest = field.partition(".")
    at, _, name = rest.partition(".")
    if head == "tool_calls" and at.isascii() and at.isdigit() and int(at) < len(step.tool_calls):
        call = step.tool_calls[int(at)]
        if name == "arguments_raw" and call.arguments_raw:
            return call.arguments_raw
        key = name.removeprefix("arguments.")
        if key in call.arguments:
            value = call.arguments[key]
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    raise NotFoundError(f"step {step.index + 1} has no text {field!r}")
