"""An optional second reader of observations: a user's own injection classifier in ONNX, run here on the CPU.

It tells injected *content* from other content; it cannot tell an agent that obeys from one that does not. So it accuses
nobody: it only strengthens instructions that stand in what it marks, and a step counts when the agent does what they
say.
Invariant: a function of the text and the model's bytes. Needs the extra ``injection``.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

from agentdog.base.errors import UsageError

CUE = "injection_model"
WEIGHT = 0.75
"""How far a text that the model is sure of makes an instruction that nobody with authority gave: as concealment."""
_TOKENS = 256
_WINDOWS = 4
"""Tokens that are read at a time; windows of one text at most, evenly over it: bounds the time of a long result."""


class InjectionModel:
    """A text classifier with two outputs, safe and injection, beside its tokenizer.

    Args:
        folder: with ``model.onnx`` (inputs ``input_ids`` and maybe ``attention_mask``, ``token_type_ids``, int64, shape
            (1, tokens); one output of logits, shape (1, 2) or (1, 1)) and ``tokenizer.json``.

    Raises:
        UsageError: a file is not there or cannot be read, or the extra is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise UsageError(
                "injection: onnxruntime and tokenizers are needed; pip install 'agentdog-sidecar[injection]'"
            ) from error
        for name in ("model.onnx", "tokenizer.json"):
            if not (folder / name).is_file():
                raise UsageError(
                    f"injection {folder}: no file {name}; give a folder with model.onnx and tokenizer.json"
                )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # beside the agent: it may take one core, not all
        options.log_severity_level = 3
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the libraries raise classes of their own
            raise UsageError(f"injection {folder}: cannot be read ({error})") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._inputs = [i.name for i in self._session.get_inputs()]
        unknown = set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown or "input_ids" not in self._inputs:
            raise UsageError(f"injection {folder}: inputs are {self._inputs}; needed are input_ids and attention_mask")
        files = (folder / "model.onnx", folder / "tokenizer.json")
        self.fingerprint = hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:32]
        self.p = lru_cache(maxsize=256)(self._p)

    def _p(self, text: str) -> float:
        """P(injection) of a text: the highest of its windows."""
        ids = self._tokenizer.encode(text).ids
        last = max(0, len(ids) - _TOKENS)
        starts = sorted({last * k // max(1, _WINDOWS - 1) for k in range(_WINDOWS)})
        return max((self._window(ids[at : at + _TOKENS]) for at in starts), default=0.0)

    def _window(self, ids: list[int]) -> float:
        import numpy

        if not ids:
            return 0.0
        row = numpy.array([ids], dtype=numpy.int64)
        values: dict[str, Any] = {
            "input_ids": row,
            "attention_mask": numpy.ones_like(row),
            "token_type_ids": numpy.zeros_like(row),
        }
        logits = self._session.run(None, {name: values[name] for name in self._inputs})[0].reshape(-1)
        apart = float(logits[-1]) - (float(logits[0]) if len(logits) > 1 else 0.0)
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, apart))))
