"""Every token of a tree is read once, in sight of its ancestors, whatever the sequences and the size of a pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentdog.attribution.trie import Node, Span, Wave, beside, build, common, leaving, waves

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12)


def spans_of(sequences: list[list[int]]) -> list[Span]:
    return [Span(tuple(tokens), len(tokens) // 2, len(tokens)) for tokens in sequences]


def histories(root: Node, ahead: tuple[int, ...] = ()) -> dict[tuple[int, int], tuple[int, ...]]:
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    stack: list[tuple[Node, tuple[int, ...]]] = [(root, ahead)]
    while stack:
        node, before = stack.pop()
        for index in range(len(node.tokens)):
            found[id(node), index] = (*before, *node.tokens[: index + 1])
        stack += [(child, (*before, *node.tokens)) for child in node.children.values()]
    return found


@given(SEQUENCES, st.integers(1, 9), st.integers(0, 5))
def test_each_token_with_its_history_is_read_once(sequences: list[list[int]], budget: int, known: int) -> None:
    root = build(spans_of(sequences))
    known = min(known, max(len(root.tokens) - 1, 0))
    expected = histories(root)
    stack = list(root.tokens[:known])
    seen = []
    for wave in waves(root, known, budget):
        seen += replayed(wave, stack, expected)
    unread = {(id(root), index) for index in range(known)}
    assert len(seen) == len(set(seen))
    assert set(seen) | unread == set(expected)
    distinct = {tuple(tokens[:end]) for tokens in sequences for end in range(1, len(tokens) + 1)}
    assert len(expected) == len(distinct)


def replayed(wave: Wave, stack: list[int], expected: dict[tuple[int, int], tuple[int, ...]]) -> list[tuple[int, int]]:
    """Reads a wave as a model would, checks every token's history, and returns which tokens were read."""
    assert wave.path <= len(stack)
    del stack[wave.path :]
    seen = []
    read: list[tuple[int, ...]] = []  # the history of every token of the wave
    for node, start, end, depth, parent in wave.pieces:
        before = tuple(stack[:depth]) if parent is None else read[parent]
        assert len(before) == depth
        for index in range(start, end):
            before = (*before, node.tokens[index])
            assert before == expected[id(node), index]
            read.append(before)
            seen.append((id(node), index))
    assert wave.size == len(read)
    stack += [history[-1] for history in read[: wave.kept]]
    return seen


@given(SEQUENCES, st.lists(st.integers(0, 2), max_size=12), st.integers(1, 9))
def test_what_leaves_the_stack_is_read_once_beside_it(
    sequences: list[list[int]], stack: list[int], budget: int
) -> None:
    spans = spans_of(sequences)
    left = leaving(spans, stack)
    assert [span for _, span in left] == spans
    tops = list({id(top): top for top, _ in left}.values())
    expected = {key: history for top in tops for key, history in histories(top, tuple(stack[: top.depth])).items()}
    assert {span.tokens for span in spans} <= set(expected.values())
    seen = []
    for together in beside(tops, budget):
        rows = list(stack)
        for wave in together:
            seen += replayed(wave, rows, expected)
    assert len(seen) == len(set(seen))
    assert set(seen) == set(expected)
    for top, span in left:
        assert top.depth < max(span.start, 1), "the token in front of what is wanted is read too"


@given(SEQUENCES)
def test_what_is_scored_is_wanted(sequences: list[list[int]]) -> None:
    spans = spans_of(sequences)
    root = build(spans)
    wanted = {history for key, history in histories(root).items() if _wanted(root, key)}
    assert wanted == {span.tokens[: at + 1] for span in spans for at in range(span.start, span.end)}


def _wanted(root: Node, key: tuple[int, int]) -> bool:
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) == key[0]:
            return node.wanted[key[1]]
        stack += node.children.values()
    raise AssertionError(key)


def test_common() -> None:
    assert common((1, 2, 3), (1, 2, 4)) == 2
    assert common((3,), (1, 2, 3), 2) == 1
    assert common((), (1,)) == 0
