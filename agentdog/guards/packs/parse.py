"""Reads what guard models write. A verdict is a whole word in its place, never a word found inside prose.

Invariant: total (no text raises), and every label returned belongs to its own axis of the given taxonomy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import taxonomy
from agentdog.guards.verdict import Labels, Outcome

Words = Mapping[str, Literal["safe", "unsafe"]]
_WORDS: Words = {"safe": "safe", "unsafe": "unsafe"}
#: Letters outside ASCII never stand for those of a verdict word (a dotless i matches an i otherwise).
_FLAGS = re.IGNORECASE | re.ASCII
#: What a regular expression must escape; blanks and the like are left alone, for engines other than Python's.
_SPECIAL = re.compile(r"[.^$*+?()\[\]{}|\\]")
_CLOSED_THOUGHT = re.compile(r"</(?:think|thinking|analysis)\s*>", re.IGNORECASE)


class Placed(NamedTuple):
    """A verdict and where its word begins in the text."""

    outcome: Outcome
    at: int


def first_line_verdict(text: str, words: Words = _WORDS) -> Outcome | None:
    """Reads a verdict that is the whole first line."""
    found = re.match(rf"\s*(?P<word>{_either(words)})\s*[.!]?\s*(?:\n|\Z)", text, _FLAGS)
    return _meaning(found["word"], words) if found else None


def _either(words: Words) -> str:
    return "|".join(re.escape(word.strip()) for word in words)


def _meaning(word: str, words: Words) -> Outcome:
    return next(Outcome(meaning) for written, meaning in words.items() if written.strip().casefold() == word.casefold())


def verdict_after(text: str, mark: str, words: Words = _WORDS) -> Placed | None:
    """Reads the verdict that stands alone behind the last `mark`, after any closed chain of thought.

    A thought that never closes hides nothing: its text is prose, and prose may mention the mark, so then there is
    no verdict unless the mark stands outside.
    """
    start = max((m.end() for m in _CLOSED_THOUGHT.finditer(text)), default=0)
    if not start and re.match(r"\s*<(?:think|thinking|analysis)\s*>", text, re.IGNORECASE):
        return None
    end = r"\s*(?:</\w+>)?[ \t.*]*(?:\n|\Z)"
    pattern = re.compile(rf"{re.escape(mark)}[\s*]*(?P<word>{_either(words)})\b{end}", _FLAGS)
    found = list(pattern.finditer(text, start))
    return Placed(_meaning(found[-1]["word"], words), found[-1].start("word")) if found else None


def labels_from_lines(text: str, headings: dict[taxonomy.AxisId, str], table: taxonomy.Taxonomy) -> Labels:
    """Reads ``Heading: label`` lines; the first line per axis counts, and only if it is a label of that axis."""
    given: dict[taxonomy.AxisId, str] = {}
    start = max((m.end() for m in _CLOSED_THOUGHT.finditer(text)), default=0)
    for line in text[start:].splitlines():
        head, colon, value = line.partition(":")
        for axis, heading in headings.items():
            if colon and taxonomy.spelling_key(head) == taxonomy.spelling_key(heading):
                given.setdefault(axis, value)
    return _normalised(given, table)


def labels_from_json(text: str, table: taxonomy.Taxonomy) -> Labels:
    """Reads a JSON object of axis → name; anything else gives no labels."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Labels()
    if not isinstance(value, dict):
        return Labels()
    return _normalised({axis: value[axis] for axis in taxonomy.AXES if isinstance(value.get(axis), str)}, table)


def labels_schema(table: taxonomy.Taxonomy) -> dict[str, object]:
    """Returns the JSON schema that allows one name of the taxonomy per axis."""
    return {
        "type": "object",
        "properties": {
            axis.id: {"type": "string", "enum": [label.name for label in axis.labels]} for axis in table.axes
        },
        "required": [axis.id for axis in table.axes],
        "additionalProperties": False,
    }


def labels_expression(table: taxonomy.Taxonomy) -> str:
    """Returns the regular expression of the JSON that `labels_schema` allows, written without blanks.

    A JSON grammar lets a model write blanks for ever between tokens, and a weak one does (measured on vLLM 0.32.0);
    this language is finite.
    """
    fields = []
    for axis in table.axes:
        names = "|".join(literal(json.dumps(label.name, ensure_ascii=False)) for label in axis.labels)
        fields.append(f'"{axis.id}":({names})')
    return r"\{" + ",".join(fields) + r"\}"


def lines_expression(
    opening: str, headings: Mapping[taxonomy.AxisId, str], names: Mapping[taxonomy.AxisId, Sequence[str]]
) -> str:
    """Returns the regular expression of one line per axis, each with one name.

    Args:
        opening: what stands before the first line.
        headings: axis → heading, in the order in which the prompt asks for them.
        names: axis → the names to choose from.
    """
    lines = (f"{literal(h)}: ({'|'.join(map(literal, names[axis]))})" for axis, h in headings.items())
    return literal(opening) + r"\n".join(lines)


def lines_grammar(
    opening: str, headings: Mapping[taxonomy.AxisId, str], names: Mapping[taxonomy.AxisId, Sequence[str]]
) -> str:
    """Returns the same language as `lines_expression` in llama.cpp's notation (GBNF)."""
    parts, before = [], opening
    for axis, heading in headings.items():
        choice = " | ".join(json.dumps(name, ensure_ascii=False) for name in names[axis])
        parts.append(f"{json.dumps(f'{before}{heading}: ')} ({choice})")
        before = "\n"
    return f"root ::= {' '.join(parts)}"


def labels_begin(text: str, headings: Mapping[taxonomy.AxisId, str]) -> int | None:
    """Returns where the first line of labels begins, behind any closed chain of thought; ``None`` without one."""
    at = max((m.end() for m in _CLOSED_THOUGHT.finditer(text)), default=0)
    keys = {taxonomy.spelling_key(heading) for heading in headings.values()}
    for line in text[at:].splitlines(keepends=True):
        head, colon, _ = line.partition(":")
        if colon and taxonomy.spelling_key(head) in keys:
            return at
        at += len(line)
    return None


def as_listed(label: taxonomy.Label, prompt: str) -> str:
    """Returns the spelling of a label that stands in the prompt, else its name."""
    return next((text for text in (label.name, *label.aliases) if text in prompt), label.name)


def literal(text: str) -> str:
    """Escapes a text for an expression."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _normalised(given: dict[taxonomy.AxisId, str], table: taxonomy.Taxonomy) -> Labels:
    return Labels(**{axis: table.normalise(axis, text) for axis, text in given.items()})
