"""Conversations as tokens in a model's own template, and where in them the explained words lie."""

from __future__ import annotations

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
        read = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets: list[tuple[int, int]] = read["offset_mapping"]
        places = [i for i, (start, end) in enumerate(offsets) if end > at and start < at + len(words) and end > start]
        tokens = tuple(read["input_ids"][: places[-1] + 1])
        return Span(tokens, places[0], len(tokens)), text, offsets[: len(tokens)]

    def reference_span(self, context: Sequence[Message], target: Message) -> Span:
        """Returns what AgentDoG's scripts score: all tokens behind the context's own, the end of the turn included.

        Their quirk is kept: without context the template of no message is taken off, so that a default system prompt
        counts as the target's (`AgenticXAI/component_attri.py`).
        """
        tokens = tuple(self._tokens([*context, target], begin=False))
        try:
            taken = len(self._tokens(context, begin=True))
        except Exception:
            if context:
                raise
            taken = 0
        return Span(tokens, min(taken, len(tokens)), len(tokens))

    def _tokens(self, messages: Sequence[Message], *, begin: bool) -> list[int]:
        given = [{"role": message.role, "content": message.content} for message in messages]
        try:
            found = self._tokenizer.apply_chat_template(given, add_generation_prompt=begin, return_dict=False)
        except Exception as error:
            raise self._refused(error) from error
        return [int(token) for token in found]

    def _text(self, messages: Sequence[Message], *, begin: bool) -> str:
        given = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return str(self._tokenizer.apply_chat_template(given, add_generation_prompt=begin, tokenize=False))
        except Exception as error:  # jinja2 raises what the template's author chose
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> UsageError:
        return UsageError(f"the chat template of {self._name} refuses this conversation: {error}")
