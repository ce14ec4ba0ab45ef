"""A pattern that looks for its letters first finds exactly what it finds without."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentdog.base.anchored import Anchored, anchors
from agentdog.guards.embedded import catalogue
from agentdog.provenance import extract

PATTERNS = [
    *(c.pattern for c in (*catalogue.load().cues, catalogue.load().imperative)),
    *catalogue.load().talk.values(),
    *catalogue.load().harm.values(),
    *(d.pattern for d in catalogue.load().destructive),
]
WORDS = sorted(
    {a for p in PATTERNS for a in p.anchors or ()} | {"the", "\n", "I", "rm -rf /", "\u017fend", "ΟΔΟΣ", "5"}
)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("abc|de", ("abc", "de")),
        (r"\b(?:send|forward)\w* a (?:mail)?", ("send", "forward")),
        (r"x?y", None),
        (r"a(?:bc)*", None),
        (r"(?:report)+ now", ("report",)),
        ("[$€]\\s?\\d", ("$", "€")),
        (r"\w+", None),
    ],
)
def test_anchors_are_what_every_match_holds(pattern: str, found: tuple[str, ...] | None) -> None:
    told = anchors(pattern)
    assert (None if told is None else set(told)) == (None if found is None else set(found))


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), max_size=30), st.integers(0, 2**32))
def test_nothing_is_lost(parts: list[str], seed: int) -> None:
    text = " ".join(parts)
    if seed % 2:
        text = text.upper()
    pattern = random.Random(seed).choice(PATTERNS)
    plain = [m.span() for m in pattern.pattern.finditer(text)]
    assert [m.span() for m in pattern.finditer(text)] == plain
    assert pattern.holds(text) == bool(plain)


def test_letters_whose_case_is_odd_are_not_passed_over() -> None:
    assert Anchored("send").search("\u017fEND")
    assert Anchored("kelvin").search("\u212aELVIN")


def test_alternatives_are_cut_where_no_group_or_class_holds_them() -> None:
    pattern = Anchored(r"a[|]b|c(?:d|e)|\|f")
    assert [w.pattern.pattern for w in pattern.ways] == [r"a[|]b", r"c(?:d|e)", r"\|f"]
    assert pattern.holds("x|F")


def test_what_is_not_looked_for_could_not_be_there() -> None:
    text = "See notes.TXT at WWW.corp.example or a@b.io: pay €5 to 4111 1111 1111 1111 by 3 May 2024, cc 123-45-6789"
    kinds = {value.kind.value for value in extract(text)}
    assert kinds >= {"path", "host", "email", "amount", "personal", "date"}
    assert not list(extract("nothing of the kind stands here"))
    assert re.search(r"\d", text)
