"""Makes a model of about a million random parameters with a real tokenizer and a chat template: for wiring only.

Run by an interpreter that has torch and transformers: ``python wiring_model.py FOLDER``. The same bytes come out every
time (one seed, and text of the standard library to train the tokenizer on). ``safe`` and ``unsafe`` are one token each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

VOCABULARY = 4096
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def tokenizer() -> Any:
    """Trains a byte-level BPE; any text can be written with it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sources = [Path(module.__file__ or "").read_text() for module in _texts()]
    made.train_from_iterator([*sources, "safe unsafe\nsafe\nunsafe\n" * 2000], trainer)
    return made


def _texts() -> list[Any]:
    import argparse
    import asyncio.base_events
    import difflib
    import doctest
    import inspect
    import subprocess
    import typing

    return [argparse, asyncio.base_events, difflib, doctest, inspect, subprocess, typing]


def write(folder: Path, kind: str = "qwen3") -> None:
    """Writes tokenizer, weights and configuration as transformers and vLLM read them.

    `kind` is ``qwen3``, whose cache can be cut back, ``qwen3_wide``, the same with 27 million parameters, or
    ``qwen3_5`` (recurrent layers) or ``gemma3`` (sliding windows), whose cannot.
    """
    import torch
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer(), eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = CHATML
    torch.manual_seed(0)
    model = _model(kind)
    fast.save_pretrained(folder)
    model.save_pretrained(folder)


def _model(kind: str) -> Any:
    import transformers as t

    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": True,
        "eos_token_id": SPECIAL.index("<|im_end|>"),
    }
    if kind == "qwen3":
        return t.Qwen3ForCausalLM(t.Qwen3Config(num_hidden_layers=2, **sizes))
    if kind == "qwen3_wide":
        sizes |= {"hidden_size": 512, "intermediate_size": 1536, "num_attention_heads": 8, "head_dim": 64}
        return t.Qwen3ForCausalLM(t.Qwen3Config(num_hidden_layers=8, **sizes))
    if kind == "gemma3":
        layers = {"num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64}
        return t.Gemma3ForCausalLM(t.Gemma3TextConfig(**layers, **sizes, pad_token_id=0, bos_token_id=0))
    heads = {"linear_num_key_heads": 2, "linear_num_value_heads": 4}
    widths = {"linear_key_head_dim": 32, "linear_value_head_dim": 32}
    return t.Qwen3_5ForCausalLM(t.Qwen3_5TextConfig(num_hidden_layers=4, **heads, **widths, **sizes))


if __name__ == "__main__":
    for named in sys.argv[2:] or ["qwen3"]:
        write(Path(sys.argv[1]) / named if sys.argv[2:] else Path(sys.argv[1]), named)
