"""Many token sequences as one radix tree, and the order in which a model reads it: every token-with-history once.

A model that reads a tree keeps key-value rows as a stack: the path from the root to where it stands. A `Wave` is one
forward pass: first tokens that stay on the stack (the *trunk*: the child with most behind it), then whole small
branches, which are popped again. What is asked later is read beside the stack, which stays as it is. Invariant: over
all waves, each token of a tree is read once, and at that time all of its ancestors are on the stack or in front of it
in the wave. Pure; lists in, lists out.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """A token sequence of which the tokens from `start` to `end` are scored, given all before them."""

    tokens: tuple[int, ...]
    start: int
    end: int


class Node:
    """One edge of the tree: tokens that every sequence through it shares."""

    __slots__ = ("children", "depth", "size", "tokens", "wanted")

    def __init__(self, tokens: Sequence[int], depth: int) -> None:
        """`depth` counts the tokens in front; `wanted` tells which of its own are scored; `size` is the subtree's."""
        self.tokens = list(tokens)
        self.depth = depth
        self.wanted = [False] * len(self.tokens)
        self.children: dict[int, Node] = {}
        self.size = 0

    @property
    def end(self) -> int:
        """Tokens from the root to its end."""
        return self.depth + len(self.tokens)


def build(spans: Sequence[Span]) -> Node:
    """Makes the tree; the root's edge is what all sequences share."""
    top = Node((), 0)
    for span in spans:
        _insert(top, span)
    if len(top.children) == 1 and not top.tokens:
        (top,) = top.children.values()
    _measure(top)
    return top


def _insert(node: Node, span: Span) -> None:
    at = node.end
    while at < len(span.tokens):
        child = node.children.get(span.tokens[at])
        if child is None:
            child = node.children[span.tokens[at]] = Node(span.tokens[at:], at)
        same = common(child.tokens, span.tokens, at)
        if same < len(child.tokens):
            child = node.children[span.tokens[at]] = _cut(child, same)
        for index in range(max(span.start - at, 0), min(span.end - at, same)):
            child.wanted[index] = True
        at += same
        node = child


def leaving(spans: Sequence[Span], stack: Sequence[int]) -> list[tuple[Node, Span]]:
    """Finds where each sequence leaves the stack, and merges those that leave it at the same place.

    Returns:
        For each span the top of its tree: without tokens of its own, at the depth where it leaves. What precedes the
        first wanted token leaves with it, since the rows of a stack do not tell what is to follow them.
    """
    tops: dict[int, Node] = {}
    found: list[tuple[Node, Span]] = []
    for span in spans:
        at = min(common(span.tokens, stack), max(span.start - 1, 0))
        _insert(tops.setdefault(at, Node((), at)), span)
        found.append((tops[at], span))
    for top in tops.values():
        _measure(top)
    return found


def common(tokens: Sequence[int], others: Sequence[int], at: int = 0) -> int:
    """Counts how many tokens agree with the others from `at` on."""
    most = min(len(tokens), len(others) - at)
    if list(tokens[:most]) == list(others[at : at + most]):
        return most
    return next(index for index in range(most) if tokens[index] != others[at + index])


def _cut(node: Node, at: int) -> Node:
    """Splits an edge; returns the upper part."""
    upper = Node(node.tokens[:at], node.depth)
    upper.wanted = node.wanted[:at]
    node.tokens, node.wanted, node.depth = node.tokens[at:], node.wanted[at:], node.depth + at
    upper.children[node.tokens[0]] = node
    return upper


def _measure(top: Node) -> None:
    order, stack = [], [top]
    while stack:
        order.append(stack.pop())
        stack += order[-1].children.values()
    for node in reversed(order):
        node.size = len(node.tokens) + sum(child.size for child in node.children.values())


class Piece(NamedTuple):
    """Consecutive tokens of one edge within a wave; the first hangs on the token in front of depth `depth`.

    `parent` is the place in the wave of the token before the first one; ``None`` when that one is on the stack.
    """

    node: Node
    start: int
    end: int
    depth: int
    parent: int | None


class Wave(NamedTuple):
    """One forward pass on a stack of `path` rows; the first `kept` of its tokens stay."""

    path: int
    pieces: tuple[Piece, ...]
    kept: int

    @property
    def size(self) -> int:
        """How many tokens it reads."""
        return sum(piece.end - piece.start for piece in self.pieces)


class _Making:
    """A wave being put together."""

    def __init__(self, path: int, budget: int) -> None:
        self.path, self.budget = path, budget
        self.trunk: list[tuple[Node, int, int]] = []
        self.branches: list[Node] = []
        self.size = 0

    @property
    def room(self) -> int:
        return self.budget - self.size

    @property
    def top(self) -> int:
        """Depth that the stack will have."""
        return self.path + sum(end - start for _, start, end in self.trunk)

    def wave(self) -> Wave:
        pieces: list[Piece] = []
        ends: dict[int, int] = {}  # depth → place in the wave, of trunk tokens at an edge's end
        at = 0
        for node, start, end in self.trunk:
            pieces.append(Piece(node, start, end, node.depth + start, at - 1 if at else None))
            at += end - start
            ends[node.depth + end] = at - 1
        kept = at
        for branch in self.branches:
            stack = [(branch, ends.get(branch.depth))]
            while stack:
                node, parent = stack.pop()
                pieces.append(Piece(node, 0, len(node.tokens), node.depth, parent))
                at += len(node.tokens)
                stack += [(child, at - 1) for child in node.children.values()]
        return Wave(self.path, tuple(pieces), kept)


def beside(tops: Sequence[Node], budget: int) -> Iterator[list[Wave]]:
    """Yields forward passes that read what leaves the stack (`leaving`), those that build on one another together.

    Small branches that leave within `budget` tokens of one another share a pass on the rows of the deepest.
    """
    making: _Making | None = None
    for top in sorted(tops, key=lambda top: -top.depth):
        for branch in top.children.values():
            if branch.size > budget:
                yield list(waves(branch, 0, budget))
                continue
            if making is not None and (branch.size > making.room or making.path - top.depth > budget):
                yield [making.wave()]
                making = None
            making = making or _Making(top.depth, budget)
            making.branches.append(branch)
            making.size += branch.size
    if making is not None:
        yield [making.wave()]


def waves(root: Node, known: int, budget: int) -> Iterator[Wave]:
    """Yields the forward passes that read a tree.

    Args:
        root: of the tree.
        known: tokens of the root's edge that are on the stack already, as is all in front of it; less than all of them.
        budget: tokens of one pass, if no single branch is longer.
    """
    making = yield from _along(root, known, _Making(root.depth + known, budget))
    yield from _below(root, making)


def _along(node: Node, start: int, making: _Making) -> Generator[Wave, None, _Making]:
    """Takes an edge into the trunk from its token `start` on; returns the wave that is being put together then."""
    while start < len(node.tokens):
        if making.room <= 0:
            yield making.wave()
            making = _Making(making.top, making.budget)
        end = min(len(node.tokens), start + making.room)
        making.trunk.append((node, start, end))
        making.size += end - start
        start = end
    return making


def _below(node: Node, making: _Making) -> Iterator[Wave]:
    """Reads all that hangs on a node: small branches in passing, large ones one by one, the largest as the trunk."""
    while True:
        light = sorted(node.children.values(), key=lambda child: child.size)
        trunk = light.pop() if light else None
        for branch in light:
            if branch.size > making.room and making.size:
                yield making.wave()
                making = _Making(making.top, making.budget)
            if branch.size > making.budget:
                alone = yield from _along(branch, 0, _Making(making.path, making.budget))
                yield from _below(branch, alone)
                continue
            making.branches.append(branch)
            making.size += branch.size
        if trunk is None:
            break
        making = yield from _along(trunk, 0, making)
        node = trunk
    if making.size:
        yield making.wave()
