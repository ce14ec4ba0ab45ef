"""A text cut into the pieces that attribution drops and holds: sentences, entries of structures, lines of code.

Invariant: the pieces put together are the text, and no piece is blank (unless the whole text is).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator

import sentencex

_FENCE = re.compile(r"```.*?(?:```|\Z)|<code>.*?(?:</code>|\Z)", re.DOTALL)
_OPENINGS = re.compile(r"[\[{]")
_SHORTEST = 16  # characters: a smaller structure reads as part of its sentence
_TRIES = 64  # brackets of one text that are tried as the beginning of a structure
_LONG = 120  # characters: a string inside a structure that is longer is cut into its own sentences
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_DOTTED = re.compile(r"\w\.[A-Za-z0-9_]")  # pandas.DataFrame: a name, though a capital follows the full stop
_REFERENCE_CODE = re.compile(r"(<code>.*?</code>)", re.DOTALL)
_REFERENCE_ENDS = re.compile(r"([.!?\n]+)")


def split(text: str) -> list[str]:
    """Cuts a text so that JSON entries, lines of code and sentences of any language are pieces of their own.

    Dotted names, versions, addresses and abbreviations stay whole.
    """
    ends: list[int] = []
    at = 0
    for fence in _FENCE.finditer(text):
        ends += _shifted(_loose(text[at : fence.start()]), at)
        ends += _shifted(_lines(fence.group()), fence.start())
        at = fence.end()
    ends += _shifted(_loose(text[at:]), at)
    return _pieces(text, ends)


def split_as_reference(text: str) -> list[str]:
    """Cuts a text as AgentDoG's `AgenticXAI/sentence_attri.py` does: at every run of ``.``, ``!``, ``?`` and newlines.

    Its quirks are kept: dotted names fall apart; a bare number before a single full stop does not end a sentence;
    ``<code>`` blocks stay whole.
    """
    found: list[str] = []
    held = ""
    for body, end in _reference_parts(text):
        if end == "." and body.strip().isdigit():
            held += body + end
            continue
        if (held + body + end).strip():
            found.append(held + body + end)
        held = ""
    if held.strip():
        found.append(held)
    return found


def _reference_parts(text: str) -> Iterator[tuple[str, str]]:
    """Yields (text, delimiter); the last delimiter may be empty."""
    body = ""
    for number, part in enumerate(_REFERENCE_CODE.split(text)):
        if number % 2:
            body += part
            continue
        cut = _REFERENCE_ENDS.split(part)
        for index in range(0, len(cut) - 1, 2):
            yield body + cut[index], cut[index + 1]
            body = ""
        body += cut[-1]
    if body:
        yield body, ""


def _pieces(text: str, ends: Iterable[int]) -> list[str]:
    """Cuts at the given ends; a blank piece joins the one before it, or after it at the beginning."""
    found: list[str] = []
    at = 0
    for end in sorted({*ends, len(text)}):
        piece, at = text[at:end], end
        if found and (not piece.strip() or not found[-1].strip()):
            found[-1] += piece
        elif piece:
            found.append(piece)
    return found


def _shifted(ends: Iterable[int], by: int) -> list[int]:
    return [end + by for end in ends]


def _loose(text: str) -> list[int]:
    """Ends of pieces in text without fences: structures inside it are cut at their entries, the rest at sentences."""
    ends: list[int] = []
    at = 0
    for start, end in _structures(text):
        ends += _shifted(_prose(text[at:start]), at)
        ends += _shifted(_entries(text[start:end]), start)
        at = end
    return ends + _shifted(_prose(text[at:]), at)


def _structures(text: str) -> Iterator[tuple[int, int]]:
    """Yields where JSON objects and lists lie, or those of Python's notation, outermost first."""
    at, decoder = 0, json.JSONDecoder(strict=False)
    for _ in range(_TRIES):
        opening = _OPENINGS.search(text, at)
        if opening is None:
            return
        start = at = opening.start()
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = _literal_end(text, start)
        if end - start >= _SHORTEST:
            yield start, end
        at = max(end, start + 1)


def _literal_end(text: str, start: int) -> int:
    """Returns where a Python literal that begins at `start` ends; `start` when none does."""
    depth, at = 0, start
    while at < len(text):
        string = _STRING.match(text, at) if text[at] in "\"'" else None
        if string is not None:
            at = string.end()
            continue
        depth += (text[at] in "[{(") - (text[at] in "]})")
        at += 1
        if depth == 0:
            break
    if depth:
        return start
    try:
        ast.literal_eval(text[start:at])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return start
    return at


def _entries(text: str) -> list[int]:
    """Ends of a structure's entries: behind commas and newlines outside of strings, and sentences of long strings."""
    ends, at = [len(text)], 0
    while at < len(text):
        if text[at] in "\"'" and (string := _STRING.match(text, at)) is not None:
            if len(string.group()) > _LONG:
                # Without its quotes, since quoted sentences are left whole; an escaped newline ends a line as well.
                inside = string.group()[1:-1].replace("\\n", " \n")
                ends += _shifted(_prose(inside)[:-1], at + 1)
            at = string.end()
            continue
        at += 1
        if text[at - 1] in ",\n":
            ends.append(at)
    return ends


def _lines(code: str) -> list[int]:
    return [at + 1 for at, character in enumerate(code) if character == "\n"] + [len(code)]


def _prose(text: str) -> list[int]:
    """Ends of sentences; a newline ends one too, as in lists, headings and logs."""
    ends: list[int] = []
    at = 0
    for line in text.splitlines(keepends=True):
        for sentence in sentencex.segment("en", line):
            at += len(sentence)
            ends.append(at)
    return [end for end in ends if end < 2 or _DOTTED.match(text, end - 2) is None]
