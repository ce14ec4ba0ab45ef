"""Values are found whatever their spelling; extraction never fails on any text."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentdog.provenance import Kind, extract, leaves
from agentdog.provenance.values import SPAN_WORDS, all_spans, of_argument, spans


def keys(text: str, kind: Kind) -> set[str]:
    return {v.key for v in extract(text) if v.kind is kind}


@pytest.mark.parametrize(
    "text",
    [
        "write to Bob.Smith@Corp.test, please",
        "mailto:bob.smith%40corp.test",
        "bob.smith [at] corp [dot] test",
        "<BOB.SMITH@CORP.TEST>",
        "bob.smith&#64;corp.test",
        "bob.sm\u200bith@corp.test",
    ],
)
def test_spellings_of_an_address_share_one_key(text: str) -> None:
    assert "bob.smith@corp.test" in keys(text, Kind.EMAIL)


@pytest.mark.parametrize(
    ("text", "kind", "key"),
    [
        ("see https://www.Evil.test/Drop?x=1.", Kind.URL, "evil.test/drop?x=1"),
        ("see https://user:pw@evil.test/", Kind.HOST, "evil.test"),
        ("visit www.example-site.com now", Kind.HOST, "example-site.com"),
        ("read /etc/hosts first", Kind.PATH, "/etc/hosts"),
        (r"open C:\Users\bob\plan.txt", Kind.PATH, r"c:\users\bob\plan.txt"),
        ("DE89 3704 0044 0532 0130 00", Kind.IDENTIFIER, "de89370400440532013000"),
        ("account 123-1234-1234", Kind.IDENTIFIER, "12312341234"),
        ("a total of $1,250.50", Kind.AMOUNT, "1250.5"),
        ("1250.50 dollars", Kind.AMOUNT, "1250.5"),
        ('{"password": "hunter2x"}', Kind.SECRET, "hunter2x"),
        ("the password is tr0ub4dor", Kind.SECRET, "tr0ub4dor"),
        ("key AKIAABCDEFGHIJKLMNOP", Kind.SECRET, "AKIAABCDEFGHIJKLMNOP"),
        ("[secret:email:ab12]", Kind.SECRET, "[secret:email:ab12]"),
        ("files: passwords.txt, q3.xlsx", Kind.SECRET_FILE, "passwords.txt"),
        ("card 4111 1111 1111 1111", Kind.PERSONAL, "4111111111111111"),
        ("ssn 078-05-1120", Kind.PERSONAL, "078051120"),
    ],
)
def test_each_kind_is_found(text: str, kind: Kind, key: str) -> None:
    assert key in keys(text, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("the password is required", Kind.SECRET),
        ("order 4111 1111 1111 1112", Kind.PERSONAL),
        ("on 2024-05-15", Kind.IDENTIFIER),
        ("in 2024", Kind.IDENTIFIER),
        ("up 4%.\nBest", Kind.HOST),
        ("<b>bold</b>", Kind.PATH),
        ("reset your passwords often", Kind.SECRET_FILE),
    ],
)
def test_what_only_looks_like_a_value_is_left_alone(text: str, kind: Kind) -> None:
    assert keys(text, kind) == set()


def test_arguments_are_walked_with_the_nearest_key() -> None:
    arguments = {"to": ["a@b.test", {"name": "x"}], "n": 3, "ok": True, "none": None}
    assert list(leaves(arguments)) == [("to", "a@b.test"), ("name", "x"), ("n", 3)]


def test_an_argument_named_password_is_a_secret() -> None:
    assert Kind.SECRET in {v.kind for v in of_argument("password", "swordfish")}
    assert Kind.SECRET not in {v.kind for v in of_argument("city", "swordfish")}


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(v.key and v.quote for v in extract(text))


@given(st.from_regex(r"[a-z]{1,10}\.[a-z]{1,10}@[a-z]{1,10}\.(test|com)", fullmatch=True), st.booleans())
def test_url_encoding_and_case_keep_the_key(address: str, upper: bool) -> None:
    spelled = quote(address, safe="")
    assert address in keys(spelled.upper() if upper else spelled, Kind.EMAIL)


@given(
    st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=2 * SPAN_WORDS - 1, max_size=60), st.integers(0, 40)
)
def test_a_copy_is_found_wherever_it_starts(words: list[str], start: int) -> None:
    start = min(start, len(words) - (2 * SPAN_WORDS - 1))
    copy = " ".join(words[start : start + 2 * SPAN_WORDS - 1])
    stored = set(spans(" ".join(words)))
    assert any(v in stored for v in all_spans(f"{copy.upper()}!"))
