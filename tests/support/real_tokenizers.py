"""The tokenizers that AgentDoG's base models have: Qwen's ranks from `dashscope`, Llama 3's from `llama-models`.

Neither package is imported; their files alone are read, by `tiktoken`. Special tokens and the expressions that split
text are those of the published tokenizer configurations of Qwen3 and Llama 3.1.
"""

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_FILES = {"qwen3": ("dashscope", "qwen.tiktoken"), "llama3": ("llama-models", "llama3/tokenizer.model")}
_CONTRACTED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLIT = {"qwen3": rf"{_CONTRACTED}\p{{N}}{_REST}", "llama3": rf"{_CONTRACTED}\p{{N}}{{1,3}}{_REST}"}
_VISION = ("object_ref_start", "object_ref_end", "box_start", "box_end", "quad_start", "quad_end", "vision_start")
_MORE = ("vision_end", "vision_pad", "image_pad", "video_pad")
_CODE = ("fim_prefix", "fim_middle", "fim_suffix", "fim_pad", "repo_name", "file_sep")
_QWEN = (
    *(f"<|{name}|>" for name in ("endoftext", "im_start", "im_end", *_VISION, *_MORE)),
    *("<tool_call>", "</tool_call>"),
    *(f"<|{name}|>" for name in _CODE),
    *("<tool_response>", "</tool_response>", "<think>", "</think>"),
)
_LLAMA = (
    *("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>"),
    *("<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>"),
    *("<|eom_id|>", "<|eot_id|>", "<|python_tag|>"),
    *(f"<|reserved_special_token_{number}|>" for number in range(3, 248)),
)


class Tokenizer(NamedTuple):
    """A tokenizer with the chat template around one user message."""

    encoding: Any
    special: Mapping[str, int]
    template: str
    normalises: bool

    def ids(self, prompt: str, prefill: str = "") -> list[int]:
        """The tokens of a conversation as a server reads it: what looks like a special token is one."""
        text = self.template.format(prompt=prompt) + prefill
        return list(self.encoding.encode(self._read(text), allowed_special="all"))

    def _read(self, text: str) -> str:
        return unicodedata.normalize("NFC", text) if self.normalises else text

    def special_ids(self, ids: list[int]) -> list[int]:
        """Those that are special tokens, in order."""
        known = set(self.special.values())
        return [token for token in ids if token in known]


def missing() -> str | None:
    """Says what is not here; ``None`` when everything is."""
    lacking = [name for name, (package, _) in _FILES.items() if _file(package, "") is None]
    if importlib.util.find_spec("tiktoken") is None or lacking:
        return f"no ranks of {', '.join(lacking)}, or no tiktoken: pip install --no-deps -r requirements/model.txt"
    return None


@cache
def load(name: str) -> Tokenizer:
    """Builds the tokenizer of ``qwen3`` or ``llama3``."""
    import tiktoken

    package, file = _FILES[name]
    path = _file(package, file)
    assert path is not None
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    special = {token: len(ranks) + place for place, token in enumerate(_QWEN if name == "qwen3" else _LLAMA)}
    encoding = tiktoken.Encoding(name, pat_str=_SPLIT[name], mergeable_ranks=ranks, special_tokens=special)
    if name == "qwen3":
        template = "<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        return Tokenizer(encoding, special, template, normalises=True)
    heads = "<|start_header_id|>{}<|end_header_id|>\n\n"
    template = f"<|begin_of_text|>{heads.format('user')}{{prompt}}<|eot_id|>{heads.format('assistant')}"
    return Tokenizer(encoding, special, template, normalises=False)


def _file(package: str, name: str) -> Path | None:
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if str(f).endswith(name)), None)
