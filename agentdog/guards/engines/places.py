"""Where a model stands in the texts it reads: their key-value caches, kept from one prefix to the next.

A place only ever grows; a prompt that parts from it is read from where they part. Most caches are cut back there. Those
of recurrent layers (Qwen3.5) and of sliding windows cannot be, so copies are laid by where prompts parted before: the
end of a trajectory, in front of the words behind it. Invariant: the logits are those of the whole prompt read at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

_OWN = 1024  # tokens: a place whose rest behind the common part is no longer is the same text's
_APART = 16  # tokens: copies nearer than that to each other are not worth their memory
_COPIES = 6

#: Reads tokens into a cache and returns the logits behind the last one.
Read = Callable[[Sequence[int], Any], Any]


class _Copy(NamedTuple):
    tokens: list[int]
    cache: Any


class Place:
    """One text and its cache."""

    def __init__(self, cache: Any, *, whole: bool) -> None:  # noqa: ANN401 - transformers' Cache
        self.tokens: list[int] = []
        self._fresh = cache
        self._cache = copied(cache)
        self._copies: list[_Copy] = []
        self._whole = whole

    def read(self, prompt: Sequence[int], read: Read) -> tuple[Any, int]:
        """Returns the logits behind a prompt, and how many of its tokens were here already."""
        # The last token is always read: its logits are what is asked for.
        kept = known = min(common(self.tokens, prompt), len(prompt) - 1)
        try:
            if kept < len(self.tokens):
                kept, known = self._back_to(kept, prompt, read)
            logits = read(prompt[kept:], self._cache)
        except BaseException:  # read in part: what the cache holds is not known
            self.forget()
            raise
        self.tokens = list(prompt)
        return logits, known

    def forget(self) -> None:
        """Starts anew."""
        self.tokens, self._cache, self._copies = [], copied(self._fresh), []

    def _back_to(self, kept: int, prompt: Sequence[int], read: Read) -> tuple[int, int]:
        """Brings the cache back to about `kept` tokens; returns how many it holds, and how many needed no reading."""
        if self._whole:
            self.forget()
            return 0, 0
        if croppable(self._cache):
            self._cache.crop(kept - len(self.tokens))
            return kept, kept
        self._copies = [entry for entry in self._copies if len(entry.tokens) <= kept]
        nearest = self._copies[-1] if self._copies else _Copy([], self._fresh)
        self._cache, known = copied(nearest.cache), len(nearest.tokens)
        if kept - known < _APART:
            return known, known
        read(prompt[known:kept], self._cache)
        self._copies = [*self._copies, _Copy(list(prompt[:kept]), copied(self._cache))][-_COPIES:]
        return kept, known


class Places:
    """A few texts at once, the longest unused given up first."""

    def __init__(self, make: Callable[[], Any], limit: int, *, whole: bool = False) -> None:
        self._make = make
        self._limit = limit
        self.whole = whole
        self._places: list[Place] = []

    def read(self, prompt: Sequence[int], read: Read) -> tuple[Any, int]:
        """Returns the logits behind a prompt, and how many of its tokens were known."""
        place = self._own(prompt)
        if place is None:
            place = Place(self._make(), whole=self.whole)
            self._places = self._places[-(self._limit - 1) :] if self._limit > 1 else []
        else:
            self._places.remove(place)
        self._places.append(place)
        return place.read(prompt, read)

    def _own(self, prompt: Sequence[int]) -> Place | None:
        """Finds the place that this prompt goes on from: one of another text is not cut for what both begin with."""
        best = max(self._places, key=lambda place: common(place.tokens, prompt), default=None)
        if best is None:
            return None
        shared = common(best.tokens, prompt)
        return best if shared * 2 >= len(best.tokens) or len(best.tokens) - shared <= _OWN else None

    def forget(self) -> None:
        """Gives up everything."""
        self._places = []


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """Counts the tokens that both begin with."""
    low, high = 0, min(len(first), len(second))
    first, second = list(first[:high]), list(second[:high])
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def croppable(cache: Any) -> bool:  # noqa: ANN401
    """Tells whether a cache can be cut back: a recurrent state cannot, nor a window that moved on."""
    return bool(cache.is_croppable) and not any(cache.is_sliding)


def copied(cache: Any) -> Any:  # noqa: ANN401
    """Copies a cache; keys and values are replaced as it grows, never written to, so both may hold the same."""
    other = copy.copy(cache)
    other.layers = [_copied_layer(layer) for layer in cache.layers]
    return other


def _copied_layer(layer: Any) -> Any:  # noqa: ANN401
    other = copy.copy(layer)
    for name, value in vars(layer).items():
        if isinstance(value, dict):  # recurrent states are written to in place
            setattr(other, name, {at: v.clone() if hasattr(v, "clone") else v for at, v in value.items()})
    return other
