#!/usr/bin/env python3
"""Runs vLLM on a GPU with random weights in the shape of a real model, for benchmarks with `--server`.

    python -m benchmarks.gpu_server [--shape qwen3-4b] [--port 8000] [-- MORE OPTIONS OF vllm serve]

Needs vLLM and a GPU in this environment; ends with Ctrl-C. Tokens cost what they cost with real weights; verdicts mean
nothing. Of AgentDoG's checkpoints the first has the shape of Qwen3-4B. The tokenizer is the tests' (4,096 tokens of its
own), filled up to the real size. `benchmarks.lifted` makes the two verdict words the likeliest, as training does: a
server that lists only the likeliest tokens is then asked once per verdict, not three times.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support import wiring_model

SHAPES: dict[str, dict[str, Any]] = {
    "qwen3-4b": {"hidden_size": 2560, "intermediate_size": 9728, "tie_word_embeddings": True},
    "qwen3-8b": {"hidden_size": 4096, "intermediate_size": 12288, "tie_word_embeddings": False},
}
COMMON: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "vocab_size": 151936,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 262144,
    "rope_theta": 5000000,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "attention_bias": False,
    "eos_token_id": wiring_model.SPECIAL.index("<|im_end|>"),
    "torch_dtype": "bfloat16",
}


def main() -> int:
    """Writes the model's folder and runs the server until it ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="qwen3-4b")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("more", nargs="*", metavar="-- OPTIONS", help="passed on to `vllm serve`")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), options.shape)
        return subprocess.run(command(folder, options.port, options.more), env=environment(), check=False).returncode


def write(folder: Path, shape: str) -> None:
    """Writes configuration and tokenizer; weights are made up by the server."""
    from transformers import PreTrainedTokenizerFast

    made = json.loads(wiring_model.tokenizer().to_str())
    vocabulary = made["model"]["vocab"]
    vocabulary.update({f"<unused {number}>": number for number in range(len(vocabulary), COMMON["vocab_size"])})
    (folder / "tokenizer.json").write_text(json.dumps(made))
    fast = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = wiring_model.CHATML
    fast.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(COMMON | SHAPES[shape]))


def command(folder: str, port: int, more: list[str]) -> list[str]:
    """The server's command line: what AgentDoG is served with, and made-up weights."""
    return [
        *(sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", folder, "--served-model-name", "guard"),
        *("--host", "127.0.0.1", "--port", str(port), "--load-format", "dummy", "--dtype", "bfloat16"),
        *("--max-model-len", "32768", "--enable-prompt-tokens-details", "--scheduling-policy", "priority"),
        *("--logits-processors", "benchmarks.lifted:Lifted", "--logprobs-mode", "processed_logprobs", *more),
    ]


def environment() -> dict[str, str]:
    """Nothing is fetched, and the processor of `benchmarks.lifted` is found."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}


if __name__ == "__main__":
    sys.exit(main())
