"""What an engine of ours can do; `EngineApi` speaks of it in the words of vLLM's server, so that guards ask both alike.

Invariant: an option that an engine does not know is refused, never passed over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from agentdog.guards.chat_api import Answer, ChatFailure
from agentdog.guards.verdict import Reason

Messages = Sequence[Mapping[str, str]]
Enough = Callable[[str], bool]
#: What changes nothing here: one model, and always its likeliest token.
_IDLE = frozenset({"model", "temperature", "return_tokens_as_token_ids"})
_WRITING = frozenset({"max_tokens", "logprobs", "top_logprobs", "logprob_token_ids", "structured_outputs"})
_SHAPING = frozenset({"chat_template_kwargs", "add_generation_prompt", "continue_final_message"})


class Ask(NamedTuple):
    """What is to be written behind a prompt.

    Attributes:
        max_tokens: at most so many; the likeliest one each time.
        listed: ids whose log-probabilities are wanted at every token.
        top: how many of the likeliest tokens are listed beside them.
        regex: what the text is held to.
    """

    max_tokens: int
    listed: tuple[int, ...] = ()
    top: int = 0
    regex: str | None = None


class Shape(NamedTuple):
    """How messages become a prompt: begin an answer, go on with the last message, options of the template."""

    begin: bool = True
    go_on: bool = False
    template: Mapping[str, Any] = {}


class Stopped(Exception):  # noqa: N818 - what happened, not an error of ours
    """Whoever asked is gone."""


class Ending(threading.Event):
    """Set once nobody waits for the answer."""

    def check(self) -> None:
        """Raises `Stopped` when it is set."""
        if self.is_set():
            raise Stopped


class Engine(Protocol):
    """A model; every method but `close` starts it where need be, and raises `ChatFailure`."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    async def start(self) -> int:
        """Returns how many tokens it takes, prompt and answer together."""
        ...

    async def tokens(self, text: str) -> list[int]:
        """Tokenises a text by itself; what looks like a special token in it is read as one, as vLLM does."""
        ...

    async def conversation(self, messages: Messages, shape: Shape) -> list[int]:
        """Returns the tokens of a conversation in the model's own template."""
        ...

    async def write(self, prompt: Sequence[int], ask: Ask, enough: Enough | None = None) -> Answer:
        """Writes behind a prompt, until it ends or is enough. Gone with its caller."""
        ...

    async def close(self) -> None:
        """Frees the model."""
        ...


class EngineApi:
    """An engine in the place of a server; see `agentdog.guards.api.Api`."""

    base_url = "engine"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Returns the list of models."""
        if path != "/models":
            raise ChatFailure(Reason.GUARD_ERROR, f"the engine knows no {path}")
        context = await self._engine.start()
        return {"data": [{"id": self._engine.name, "owned_by": "agentdog", "max_model_len": context}]}

    async def post_root(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Tokenises a text or a conversation."""
        if path != "/tokenize":
            raise ChatFailure(Reason.GUARD_ERROR, f"the engine knows no {path}")
        if "messages" in body:
            found = await self._engine.conversation(body["messages"], _shape(body))
        else:
            found = await self._engine.tokens(body["prompt"])
        return {"count": len(found), "tokens": found}

    async def chat(self, messages: Messages, **options: object) -> Answer:
        """Asks for one completion."""
        return await self._write(messages, options)

    async def stream(self, messages: Messages, enough: Enough, **options: object) -> Answer:
        """Asks for one completion and stops it once what was written is enough."""
        return await self._write(messages, options, enough)

    async def next_token(self, prompt: Sequence[int], candidates: Sequence[int], **options: object) -> dict[int, float]:
        """Returns the log-probabilities of exactly these tokens behind a prompt given as tokens."""
        _known(options, _IDLE)
        answer = await self._engine.write(prompt, Ask(1, tuple(candidates)))
        listed = {c.id: c.logprob for p in answer.positions for c in p.candidates if c.id is not None}
        if not all(token in listed for token in candidates):
            raise ChatFailure(Reason.UNPARSABLE, "the engine lists not the tokens asked for")
        return {token: listed[token] for token in candidates}

    async def close(self) -> None:
        """Frees the model."""
        await self._engine.close()

    async def _write(self, messages: Messages, options: Mapping[str, Any], enough: Enough | None = None) -> Answer:
        _known(options, _IDLE | _WRITING | _SHAPING)
        prompt = await self._engine.conversation(messages, _shape(options))
        held = options.get("structured_outputs") or {}
        _known(held, frozenset({"regex"}))
        top = int(options.get("top_logprobs") or 0) if options.get("logprobs") else 0
        listed = tuple(options.get("logprob_token_ids") or ())
        ask = Ask(int(options["max_tokens"]), listed, top, held.get("regex"))
        return await self._engine.write(prompt, ask, enough)


def _known(options: Mapping[str, Any], known: frozenset[str]) -> None:
    strange = sorted(set(options) - known)
    if strange:
        raise ChatFailure(Reason.GUARD_ERROR, f"the engine knows no {', '.join(strange)}")


def _shape(options: Mapping[str, Any]) -> Shape:
    begin, go_on = options.get("add_generation_prompt", True), options.get("continue_final_message", False)
    return Shape(bool(begin), bool(go_on), options.get("chat_template_kwargs") or {})


def check_room(prompt: Sequence[int], ask: Ask, context: int) -> None:
    """Holds that a prompt and its answer fit; raises `ChatFailure` (too long)."""
    if len(prompt) + ask.max_tokens > context:
        why = f"{len(prompt)} tokens and {ask.max_tokens} for the answer, of {context} that the model takes"
        raise ChatFailure(Reason.TOO_LONG, why)
