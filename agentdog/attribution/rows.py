"""Key-value rows of one path through a tree, in memory that is taken once: growing writes, going back costs nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


class _Layer(DynamicLayer):  # type: ignore[misc]  # transformers is not typed
    """One layer's rows; `keys` and `values` are views of what is filled."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room, self._filled = room, 0
        self._held: tuple[Any, Any] | None = None

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Writes rows behind those that are there; returns all."""
        if self._held is None:
            self.lazy_initialization(key_states, value_states)
            self._held = (self._taken(key_states), self._taken(value_states))
        end = self._filled + key_states.shape[-2]
        if end > self._held[0].shape[-2]:
            self._room = max(end, 2 * self._room)
            self._held = (self._moved(self._held[0]), self._moved(self._held[1]))
        self._held[0][:, :, self._filled : end] = key_states
        self._held[1][:, :, self._filled : end] = value_states
        self.cut(end)
        return self.keys, self.values

    def cut(self, rows: int) -> None:
        """Keeps the first rows only."""
        self._filled = rows
        if self._held is not None:
            self.keys, self.values = (held[:, :, :rows] for held in self._held)

    def _taken(self, like: Any) -> Any:  # noqa: ANN401
        return like.new_empty((*like.shape[:-2], self._room, like.shape[-1]))

    def _moved(self, held: Any) -> Any:  # noqa: ANN401
        moved = self._taken(held)
        moved[:, :, : held.shape[-2]] = held  # what is lent included, which lies behind what is filled
        return moved

    def lift(self, start: int, end: int) -> list[Any]:
        """Copies rows."""
        return [held[:, :, start:end].clone() for held in self._held or ()]

    def put(self, start: int, lifted: list[Any], filled: int) -> None:
        """Puts rows back where they were; as many are filled then as were before."""
        for held, rows in zip(self._held or (), lifted, strict=True):
            held[:, :, start : start + rows.shape[-2]] = rows
        self.cut(filled)

    def get_seq_length(self) -> int:
        """Rows that are filled."""
        return self._filled


class Rows(Cache):  # type: ignore[misc]
    """What a transformers model keeps of the path that it read."""

    def __init__(self, layers: int, room: int) -> None:
        super().__init__(layers=[_Layer(room) for _ in range(layers)])

    def cut(self, rows: int) -> None:
        """Goes back to the first rows."""
        for layer in self.layers:
            layer.cut(rows)

    @contextlib.contextmanager
    def lent(self, start: int, size: int) -> Iterator[None]:
        """Lends `size` rows from `start` on: what is written there meanwhile is undone, all rows are as before."""
        filled = self.get_seq_length()
        lifted = [layer.lift(start, min(start + size, filled)) for layer in self.layers]
        try:
            yield
        finally:
            with torch.inference_mode():  # where they were written
                for layer, rows in zip(self.layers, lifted, strict=True):
                    layer.put(start, rows, filled)


def visible(path: int, pieces: list[tuple[int, int, int | None]]) -> Any:  # noqa: ANN401 - a tensor
    """Returns which rows each token of a pass sees: itself and its ancestors.

    Args:
        path: rows on the stack.
        pieces: (length, depth of its first token, place of the token before it in the pass or ``None``), in order.

    Returns:
        A boolean tensor of shape (tokens, path + tokens).
    """
    size = sum(length for length, _, _ in pieces)
    seen = torch.zeros((size, path + size), dtype=torch.bool)
    at = 0
    for length, depth, parent in pieces:
        rows = slice(at, at + length)
        if parent is None:
            seen[rows, :depth] = True
        else:
            seen[rows] = seen[parent]
        seen[rows, path + at : path + at + length] = torch.ones((length, length), dtype=torch.bool).tril()
        at += length
    return seen
