"""A causal model of transformers: reads tokens, keeps its places, writes the likeliest token each time.

One caller at a time. Invariant: log-probabilities are those of the whole vocabulary, before any mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.cache_utils import DynamicCache
from transformers.utils import logging as transformers_logging

from agentdog.guards.chat_api import Answer, Candidate, Position, Usage
from agentdog.guards.engines.engine import Ask, Ending, Enough, Messages, Shape
from agentdog.guards.engines.folder import ModelFolder
from agentdog.guards.engines.places import Place, Places

_PIECES = {"cuda": 2048, "cpu": 256}  # tokens read at once; in between, whoever left is noticed
_HALF = 0.5  # log-probability by which two ways of reading may differ at 16 bits; 0.01 at 32
_UNFINISHED = "\ufffd"  # what a tokenizer writes for bytes that are no character yet


class Loading(NamedTuple):
    """How a model is loaded: precision (``auto`` as it is stored), where it computes, threads, texts kept at once."""

    dtype: str = "auto"
    device: str | None = None
    threads: int | None = None
    places: int = 4


class TorchModel:
    """A model with its tokenizer; raises whatever transformers raises when it cannot be loaded."""

    def __init__(self, folder: ModelFolder, how: Loading) -> None:
        transformers_logging.disable_progress_bar()
        if how.threads is not None:
            torch.set_num_threads(how.threads)
        device = how.device or ("cuda" if torch.cuda.is_available() else "cpu")
        # Nothing is fetched, no code out of the folder runs, no pickle is read.
        safe = {"local_files_only": True, "trust_remote_code": False}
        self._tokenizer = AutoTokenizer.from_pretrained(folder.path, **safe)
        model = AutoModelForCausalLM.from_pretrained(folder.path, dtype=how.dtype, use_safetensors=True, **safe)
        self._model = model.eval().to(device)
        self._piece = _PIECES.get(torch.device(device).type, _PIECES["cuda"])
        ends = self._model.generation_config.eos_token_id
        self._ends = {self._tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
        self._places = Places(self._cache, how.places, whole=not self._goes_on())

    def tokens(self, text: str) -> list[int]:
        """Tokenises a text by itself."""
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def conversation(self, messages: Messages, shape: Shape) -> list[int]:
        """Returns the tokens of a conversation; raises `ValueError` where the template does not take it."""
        if self._tokenizer.chat_template is None:
            raise ValueError("the model has no chat template; only instruction models can judge")
        text = self._tokenizer.apply_chat_template(
            list(messages),
            tokenize=False,
            add_generation_prompt=shape.begin and not shape.go_on,
            continue_final_message=shape.go_on,
            **shape.template,
        )
        return self.tokens(text)

    def write(self, prompt: Sequence[int], ask: Ask, enough: Enough | None, ending: Ending) -> Answer:
        """Writes behind a prompt; raises `Stopped` once nobody waits."""
        written: list[int] = []
        positions: list[Position] = []
        text, cached, finish = "", 0, "length"
        while len(written) < ask.max_tokens and finish == "length":
            logits, known = self._read([*prompt, *written], ending)
            cached = cached if written else known
            shares = torch.log_softmax(logits.float(), -1)
            token = int(shares.argmax())
            written.append(token)
            more = "" if token in self._ends else self._more(written, len(text))
            text += more
            positions.append(self._position(shares, token, more, ask))
            if token in self._ends:
                finish = "stop"
            elif enough is not None and enough(text):
                finish = "enough"
        usage = Usage(len(prompt), cached, len(written))
        return Answer(text=text, finish=finish, positions=tuple(positions), usage=usage)

    def _more(self, written: Sequence[int], length: int) -> str:
        whole = self._tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return "" if whole.endswith(_UNFINISHED) else str(whole[length:])

    def _position(self, shares: Any, token: int, text: str, ask: Ask) -> Position:  # noqa: ANN401
        wanted = dict.fromkeys(ask.listed)
        wanted |= dict.fromkeys(shares.topk(min(ask.top, len(shares))).indices.tolist() if ask.top else ())
        listed = tuple(Candidate(self._tokenizer.decode([t]), float(shares[t]), t) for t in wanted)
        return Position(Candidate(text, float(shares[token]), token), listed)

    def _read(self, prompt: Sequence[int], ending: Ending) -> tuple[Any, int]:
        return self._places.read(prompt, lambda tokens, cache: self._forward(tokens, cache, ending.check))

    def _forward(self, tokens: Sequence[int], cache: Any, check: Callable[[], None], piece: int | None = None) -> Any:  # noqa: ANN401
        logits, step = None, piece or self._piece
        for at in range(0, len(tokens), step):
            check()
            given = torch.tensor([list(tokens[at : at + step])], device=self._model.device)
            with torch.inference_mode():
                logits = self._model(given, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[0, -1]
        return logits

    def _cache(self) -> Any:  # noqa: ANN401
        return DynamicCache(config=self._model.config)

    def _goes_on(self) -> bool:
        """Finds out whether reading on from a kept cache gives what reading the whole gives; some models cannot."""
        words = (self.tokens("The agent reads a message, answers it, and then pays what it says. ") * 8)[:80]
        half, place = len(words) // 2, Place(self._cache(), whole=False)
        read = lambda tokens, cache: self._forward(tokens, cache, lambda: None, 24)  # noqa: E731
        place.read(words[: half + 20], read)
        place.read([*words[:half], *reversed(words[half:])], read)
        kept = torch.log_softmax(place.read(words, read)[0].float(), -1)
        whole = torch.log_softmax(self._forward(words, self._cache(), lambda: None, len(words)).float(), -1)
        likely = whole.topk(20).indices
        apart = float((kept[likely] - whole[likely]).abs().max())
        return math.isfinite(apart) and apart < (0.01 if self._model.dtype == torch.float32 else _HALF)

    @property
    def keeps_its_place(self) -> bool:
        """Tells whether prefixes are read on from what is kept."""
        return not self._places.whole

    def forget(self) -> None:
        """Frees what is kept of texts, as when memory ran out."""
        self._places.forget()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
