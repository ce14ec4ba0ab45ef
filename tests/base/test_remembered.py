"""Answers are remembered, those to long texts are not."""

from __future__ import annotations

from agentdog.base.remembered import remembered


def test_only_answers_to_short_texts_are_remembered() -> None:
    asked: list[tuple[int, str]] = []

    @remembered(8, longest=3)
    def joined(number: int, text: str) -> str:
        asked.append((number, text))
        return f"{number}{text}"

    for _ in range(2):
        assert joined(1, "abc") == "1abc"
        assert joined(1, "abcd") == "1abcd"
    assert asked == [(1, "abc"), (1, "abcd"), (1, "abcd")]
    assert joined.__name__ == "joined"


def test_so_many_are_remembered_and_the_first_goes_first() -> None:
    asked: list[str] = []

    @remembered(2, longest=3)
    def same(text: str) -> str:
        asked.append(text)
        return text

    for text in ("a", "b", "a", "c", "b", "c", "a"):
        assert same(text) == text
    assert asked == ["a", "b", "c", "a"]
