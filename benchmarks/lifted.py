"""A logits processor for vLLM: ``safe`` and ``unsafe`` are the likeliest tokens of a model with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from vllm.v1.sample.logits_processor import LogitsProcessor

LIFT = (("safe", 20.0), ("unsafe", 18.0))


class Lifted(LogitsProcessor):  # type: ignore[misc]  # vLLM is in another environment
    """Adds the same to the two words' logits in every request."""

    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:  # noqa: ANN401, FBT001, RUF100
        tokenizer = Tokenizer.from_file(str(Path(vllm_config.model_config.tokenizer) / "tokenizer.json"))
        self._lift = [(tokenizer.token_to_id(word), by) for word, by in LIFT]

    def is_argmax_invariant(self) -> bool:
        """Another token becomes the likeliest."""
        return False

    def update_state(self, batch_update: Any) -> None:  # noqa: ANN401
        """Nothing differs from request to request."""

    def apply(self, logits: Any) -> Any:  # noqa: ANN401
        """Lifts the two."""
        for token, by in self._lift:
            logits[:, token] += by
        return logits
