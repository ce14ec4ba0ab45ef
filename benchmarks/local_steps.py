"""What judging every step costs a model in this process (``local:``), beside judging the last prefix once.

``python benchmarks/local_steps.py --model FOLDER [--device cuda] [--steps 10 20 40] [--json]`` needs torch and
transformers. A prefix is 300 tokens of header, 133 a step and 70 behind it, drawn at random: only the cost is measured.
*Kept*: the cache stays from one prefix to the next, as the guard does it; *anew*: every prefix is read whole.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence

import torch

from agentdog.guards.engines.engine import Ask, Ending
from agentdog.guards.engines.folder import read
from agentdog.guards.engines.torch_model import Loading, TorchModel

HEADER, STEP, TAIL = 300, 133, 70  # tokens


def cost(model: TorchModel, prefixes: Sequence[list[int]], *, keep: bool) -> tuple[float, int]:
    """Returns wall seconds and tokens read for one token of answer behind each prefix."""
    model.forget()
    began, tokens = time.perf_counter(), 0
    for prefix in prefixes:
        if not keep:
            model.forget()
        usage = model.write(prefix, Ask(max_tokens=1), None, Ending()).usage
        tokens += (usage.prompt or 0) - (usage.cached or 0)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began, tokens


def main() -> None:
    """Prints a row per number of steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--steps", type=int, nargs="*", default=[10, 20, 40])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    model = TorchModel(read(given.model), Loading(dtype=given.dtype, device=given.device))
    drawn = random.Random(0)
    words = model.tokens("order parcel invoice refund account status courier window payment label receipt limit " * 4)
    text = [drawn.choice(words) for _ in range(HEADER + STEP * max(given.steps))]
    tail = [drawn.choice(words) for _ in range(TAIL)]
    for steps in given.steps:
        prefixes = [[*text[: HEADER + STEP * count], *tail] for count in range(1, steps + 1)]
        runs = {
            "last": [cost(model, prefixes[-1:], keep=False) for _ in range(given.repeats)],
            "kept": [cost(model, prefixes, keep=True) for _ in range(given.repeats)],
            "anew": [cost(model, prefixes, keep=False) for _ in range(given.repeats)],
        }
        row: dict[str, float] = {"steps": steps}
        for name, found in runs.items():
            row[f"{name}_s"] = statistics.median(seconds for seconds, _ in found)
            row[f"{name}_tokens"] = found[0][1]
        for name in ("kept", "anew"):
            row[f"{name}_ratio_wall"] = row[f"{name}_s"] / row["last_s"]
            row[f"{name}_ratio_tokens"] = row[f"{name}_tokens"] / row["last_tokens"]
        print(json.dumps(row) if given.json else ", ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
