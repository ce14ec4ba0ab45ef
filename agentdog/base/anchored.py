"""Patterns that are tried only where a text holds letters that every match of theirs must hold.

Finding a few fixed strings costs a hundredth of trying a pattern at every place of a text. Invariant: an `Anchored`
finds exactly what its pattern finds; where no fixed letters can be told from the pattern, it is always tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from re import _casefix as casefix  # type: ignore[attr-defined]
from re import _constants as op  # type: ignore[attr-defined]  # how `re` itself reads a pattern; there is no public way
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MOST = 40
"""Anchors of one pattern at most: more of them cost as much as the pattern."""
_SHORTEST = 2
_WIDEST = 24
"""Characters of a class that are told apart."""
_ODD = re.compile(
    f"[{''.join(chr(c) for each in casefix._EXTRA_CASES.items() for c in (each[0], *each[1]) if c > 127)}]"
)
"""Letters that match others when case is ignored, and whose lower case is not those: a long s, a final sigma."""


class Anchored:
    """A compiled pattern with its anchors."""

    __slots__ = ("anchors", "pattern", "ways")

    def __init__(self, pattern: str, flags: int = re.IGNORECASE) -> None:
        self.pattern = re.compile(pattern, flags)
        self.anchors = anchors(pattern, flags)
        parts = _alternatives(pattern)
        self.ways = tuple(Anchored(part, flags) for part in parts) if len(parts) > 1 else ()

    def may(self, lowered: str) -> bool:
        """Says whether a text, given in lower case, could hold a match."""
        if self.anchors is None or _ODD.search(lowered):
            return True
        return any(anchor in lowered for anchor in self.anchors)

    def search(self, text: str, lowered: str | None = None) -> re.Match[str] | None:
        """Finds the first match; `lowered` is the text in lower case, where the caller has it."""
        return self.pattern.search(text) if self.may(text.lower() if lowered is None else lowered) else None

    def holds(self, text: str) -> bool:
        """Says whether there is a match; each alternative is tried only where it could be."""
        if not self.ways:
            return self.search(text) is not None
        lowered = text.lower()
        return any(way.search(text, lowered) for way in self.ways)

    def finditer(self, text: str, lowered: str | None = None) -> Iterator[re.Match[str]]:
        """Finds all matches."""
        if self.may(text.lower() if lowered is None else lowered):
            yield from self.pattern.finditer(text)


def anchors(pattern: str, flags: int = re.IGNORECASE) -> tuple[str, ...] | None:
    """Returns strings in lower case of which every match holds at least one; ``None`` where none can be told."""
    found = _sequence(parser.parse(pattern, flags))
    if found is None or len(found) > MOST:
        return None
    # One that holds another says nothing more.
    return tuple(sorted(a for a in found if not any(b != a and b in a for b in found)))


def _sequence(items: Iterable[tuple[Any, Any]]) -> frozenset[str] | None:
    """The best anchors of what follows each other: of the parts that must be there, that with the longest ones."""
    options: list[frozenset[str]] = []
    run = ""
    for code, value in [*items, (None, None)]:
        if code is op.LITERAL:
            run += chr(value).lower()
            continue
        run = _close(run, options)
        part = _part(code, value)
        if part:
            options.append(part)
    return max(options, key=lambda o: (min(map(len, o)), -len(o)), default=None)


def _close(run: str, options: list[frozenset[str]]) -> str:
    if len(run) >= _SHORTEST or (run and not run.isascii()):
        options.append(frozenset([run]))
    return ""


def _part(code: Any, value: Any) -> frozenset[str] | None:  # noqa: ANN401, PLR0911 - nodes of the parser
    if code is op.SUBPATTERN:
        return _sequence(value[3])
    if code is op.ATOMIC_GROUP:
        return _sequence(value)
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return _sequence(value[2]) if value[0] > 0 else None
    if code is op.IN:
        return _class(value)
    if code is op.BRANCH:
        found: set[str] = set()
        for branch in value[1]:
            mine = _sequence(branch)
            if mine is None:
                return None
            found |= mine
        return frozenset(found)
    return None


def _class(items: Iterable[tuple[Any, Any]]) -> frozenset[str] | None:
    """The characters of a small class, where they are rare: marks, and what is beyond ASCII."""
    found: set[str] = set()
    for code, value in items:
        low, high = (value, value) if code is op.LITERAL else value if code is op.RANGE else (0, 0)
        if (low < 128 and (low != high or chr(low).isalnum() or not low)) or len(found) + high - low >= _WIDEST:
            return None
        found |= {chr(c).lower() for c in range(low, high + 1)}
    return frozenset(found)


def _alternatives(pattern: str) -> list[str]:
    """Cuts a pattern at the bars that stand in no group and no class."""
    parts, depth, inside, at = [""], 0, False, 0
    while at < len(pattern):
        char = pattern[at]
        step = 2 if char == "\\" else 1
        if step == 1 and inside:
            inside = char != "]"
        elif step == 1:
            inside = char == "["
            depth += (char == "(") - (char == ")")
            if char == "|" and not depth:
                parts.append("")
                at += 1
                continue
        parts[-1] += pattern[at : at + step]
        at += step
    return parts
