"""Conversations as tokens in a model's own template, and where in them the explained words lie."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from agentdog.attribution.messages import Message
from agentdog.attribution.trie import Span
from agentdog.base.errors import UsageError


class Layout(NamedTuple):
    """A conversation in tokens, and where its messages lie.

    Attributes:
        span: the tokens, and among them the target's content.
        offsets: characters [start, end) of every token.
        starts: the character at which each message's content begins; ``None`` where the template does not print it.
        lengths: characters of each message's content.
    """

    span: Span
    offsets: tuple[tuple[int, int], ...]
    starts: tuple[int | None, ...]
    lengths: tuple[int, ...]

    def tokens_of(self, message: int, begin: int = 0, end: int | None = None) -> tuple[int, int] | None:
        """Returns the tokens [start, end) of a message's characters [begin, end); ``None`` where there are none."""
        start = self.starts[message]
        if start is None:
            return None
        first, last = start + begin, start + (self.lengths[message] if end is None else end)
        places = [at for at, (a, b) in enumerate(self.offsets) if b > first and a < last and b > a]
        return (places[0], places[-1] + 1) if places else None


class Chats:
    """A tokenizer's chat template."""

    def __init__(self, tokenizer: Any, name: str) -> None:  # noqa: ANN401 - transformers' tokenizer
        """Raises `UsageError` when the tokenizer has no template."""
        if tokenizer.chat_template is None:
            raise UsageError(f"the model {name} has no chat template; attribution needs an instruction model")
        self._tokenizer = tokenizer
        self._name = name
        special = sorted((str(t) for t in tokenizer.added_tokens_decoder.values()), key=len, reverse=True)
        self._breaks = re.compile("(" + "|".join(map(re.escape, special)) + ")") if special else None
        self._read: dict[str, tuple[list[int], list[tuple[int, int]]]] = {}

    def content_span(self, context: Sequence[Message], target: Message) -> Span:
        """Returns a conversation that ends with the target; the span is the target's content, no more and no less.

        Raises:
            UsageError: when the template refuses the conversation, or does not print the target's words.
        """
        return self._laid(context, target)[0]

    def laid_out(self, context: Sequence[Message], target: Message) -> Layout:
        """Returns the same with the place of every message; raises as `content_span` does."""
        span, text, offsets = self._laid(context, target)
        starts: list[int | None] = []
        at = 0
        for message in context:
            words = message.content.strip()
            found = text.find(words, at) if words else -1
            starts.append(None if found < 0 else found - message.content.find(words))
            at = at if found < 0 else found + len(words)
        return Layout(span, tuple(offsets), tuple(starts), tuple(len(message.content) for message in context))

    def _laid(self, context: Sequence[Message], target: Message) -> tuple[Span, str, list[tuple[int, int]]]:
        text = self._text([*context, target], begin=False)
        words = target.content.strip()
        at = text.rfind(words)
        if not words or at < 0:
            raise UsageError(f"the template of {self._name} does not print the explained step's text")
        tokens, offsets = self._encoded(text)
        first = bisect.bisect_right(offsets, at, key=lambda offset: offset[1])
        last = bisect.bisect_left(offsets, at + len(words), key=lambda offset: offset[0])
        return Span(tuple(tokens[:last]), first, last), text, offsets[:last]

    def _encoded(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Tokenises piece by piece between special tokens, which no word crosses: a variant repeats most pieces.

        The first text is read whole as well: where a tokenizer joins pieces otherwise, all texts are read whole.
        """
        if not self._read and self._breaks is not None:
            whole, breaks = self._tokenizer(text, add_special_tokens=False)["input_ids"], self._breaks
            self._breaks = (
                None if [t for piece in breaks.split(text) for t in self._piece(piece)[0]] != whole else breaks
            )
        tokens: list[int] = []
        offsets: list[tuple[int, int]] = []
        at = 0
        for piece in self._breaks.split(text) if self._breaks is not None else [text]:
            found, places = self._piece(piece)
            tokens += found
            offsets += [(start + at, end + at) for start, end in places]
            at += len(piece)
        return tokens, offsets

    def _piece(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        if text not in self._read:
            read = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            self._read[text] = (read["input_ids"], read["offset_mapping"])
        return self._read[text]

    def reference_span(self, context: Sequence[Message], target: Message) -> Span:
        """Returns what AgentDoG's scripts score: all tokens behind the context's own, the end of the turn included.

        Their quirk is kept: without context the template of no message is taken off, so that a default system prompt
        counts as the target's (`AgenticXAI/component_attri.py`).
        """
        tokens = tuple(self._tokens([*context, target], begin=False))
        try:
            taken = len(self._tokens(context, begin=True))
        except UsageError:
            if context:
                raise
            taken = 0
        return Span(tokens, min(taken, len(tokens)), len(tokens))

    def _tokens(self, messages: Sequence[Message], *, begin: bool) -> list[int]:
        return self._encoded(self._text(messages, begin=begin))[0]

    def _text(self, messages: Sequence[Message], *, begin: bool) -> str:
        given = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return str(self._tokenizer.apply_chat_template(given, add_generation_prompt=begin, tokenize=False))
        except Exception as error:  # jinja2 raises what the template's author chose
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> UsageError:
        return UsageError(f"the chat template of {self._name} refuses this conversation: {error}")
