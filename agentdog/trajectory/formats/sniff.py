"""Tells by a file's content which format it is in, and reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from agentdog.base.errors import DecodeError
from agentdog.trajectory.formats import (
    atbench,
    atif,
    chat,
    claude_code,
    claw,
    codex,
    codex_rows,
    files,
    native,
    normalized,
    stepshield,
    tracesafe,
    ts_bench,
    who_when,
    xai,
)
from agentdog.trajectory.formats.case import Case


class Format(NamedTuple):
    """A format: its name, how to tell a row of it, how to read a file of it."""

    name: str
    is_row: Callable[[object], bool]
    read: Callable[[Path], Iterator[Case]]


_LOOKED_AT = 100  # rows that may tell the format
#: From the most to the least telling; the first that knows the first row wins.
FORMATS = (
    Format("native", native.is_row, native.read),
    Format("atif", atif.is_row, atif.read),
    Format("claude-code", claude_code.is_row, claude_code.read),
    Format("codex", codex.is_row, codex.read),
    Format("atbench-claw", claw.is_row, claw.read),
    Format("atbench-codex", codex_rows.is_row, codex_rows.read),
    Format("who-when", who_when.is_row, who_when.read),
    Format("stepshield", stepshield.is_row, stepshield.read),
    Format("tracesafe", tracesafe.is_row, tracesafe.read),
    Format("ts-bench", ts_bench.is_row, ts_bench.read),
    Format("normalized", normalized.is_row, normalized.read),
    Format("agentdog-xai", xai.is_row, xai.read),
    Format("chat", lambda value: chat.is_row(value) or chat.is_message(value), chat.read),
    Format("atbench", atbench.is_row, atbench.read),
)


def sniff(path: Path) -> Format:
    """Returns the format of a file, judged by its first row; by a later one when the first is in none.

    A file whose first row is damaged is then refused by its format's reader, which names the field.

    Raises:
        NotFoundError: when there is no such file.
        DecodeError: when it is no JSON, empty, or in no known format.
    """
    _, values = files.read_values(path)
    if not values:
        raise DecodeError(f"{path}: no rows in it")
    for value in values[:_LOOKED_AT]:
        for known in FORMATS:
            if known.is_row(value):
                return known
    first = values[0]
    shown = (
        f"an object with {', '.join(list(map(str, first))[:8])}" if isinstance(first, dict) else type(first).__name__
    )
    raise DecodeError(f"{path}: first row is {shown}; known formats are {', '.join(f.name for f in FORMATS)}")


def read(path: Path) -> Iterator[Case]:
    """Reads a file in whichever known format it is; raises as `sniff` and the format's own reader do."""
    return sniff(path).read(path)
