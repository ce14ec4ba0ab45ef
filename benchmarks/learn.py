#!/usr/bin/env python3
"""What `agentdog learn` reaches: five folds by group, F1 over the number of reviews, promised false-alarm rates.

    python benchmarks/learn.py [--data FOLDER] [--only rjudge564 atbench_sample generated] [--seeds 2] [--json]

Per set: F1, recall, AUROC and false alarms of the learned model, of the guard without it and of TF-IDF words with
logistic regression in the same folds; F1 over the number of reviewed runs that a fold may learn from; and, for each
promised rate, the share of safe runs flagged in folds that neither the model nor its threshold saw (threshold from an
inner cross-validation), with recall beside it. Intervals are 95 %, by group. ``generated``: 600 runs of two kinds of
words that overlap, so that 1 % can be promised. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from embedded_data import DATA

from agentdog.base.calibration import conformal_threshold, rows_needed
from agentdog.base.stats import bootstrap
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.learned.fitting import Example, fit
from agentdog.guards.embedded.learned.honest import drawn, examine, split
from agentdog.guards.embedded.learned.learn import examples_of
from agentdog.trajectory import Agent, Step, ToolCall, Trajectory
from agentdog.trajectory.formats import Case, sniff

SETS = ("rjudge564", "atbench_sample", "generated")
REVIEWS = (20, 40, 80, 160, 320)
RATES = (0.01, 0.05, 0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=2, help="outer splits of the promised rates")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {}
    for name in options.only:
        cases = generated() if name == "generated" else _read(options.data / f"{name}.jsonl.gz")
        if cases is None:
            print(f"{name}: not there, skipped", file=sys.stderr)
            continue
        began = time.process_time()
        examples = examples_of(cases, EmbeddedGuard())
        read_s, began = time.process_time() - began, time.process_time()
        figures = examine(examples).figures
        learned_s = time.process_time() - began
        found[name] = {
            "figures": msgspec.to_builtins(figures),
            "cpu_seconds": {"reading": round(read_s, 1), "learning": round(learned_s, 1)},
            "f1_by_reviews": curve(examples),
            "promised": promised(examples, options.seeds),
        }
        if not options.json:
            show(name, found[name])
    if options.json:
        print(json.dumps(found, indent=1))
    return 0 if found else 2


def curve(examples: Sequence[Example]) -> dict[str, float | None]:
    """F1 over the number of reviews, pooled over folds."""
    result: dict[str, float | None] = {}
    for number in REVIEWS:
        hit = false = unsafe = 0
        for train, test in split(examples, 0):
            order = sorted(train, key=lambda e: random.Random(e.group + e.id).random())[:number]
            if len(order) < number or len({e.label for e in order}) < 2:
                break
            weights = fit(order)
            for example in test:
                flag = weights.score(example) >= 0
                hit += flag and example.label == 1
                false += flag and example.label == 0
                unsafe += example.label
        else:
            result[str(number)] = round(2 * hit / (unsafe + hit + false), 3)
    return result


def promised(examples: Sequence[Example], seeds: int) -> dict[str, dict[str, list[float | None]]]:
    """False alarms and recall at promised rates, in folds that had no say in anything."""
    flags: dict[float, list[tuple[str, int, bool]]] = defaultdict(list)
    for seed in range(seeds):
        for train, test in split(examples, seed):
            scores = {}
            for inner, held in split(train, seed + 100):
                weights = fit(inner)
                scores |= {e.id: weights.score(e) for e in held}
            calibrating = [scores[e.id] for e in drawn(train)]
            weights = fit(train)
            tested = [(e, weights.score(e)) for e in test]
            for rate in RATES:
                if len(calibrating) >= rows_needed(rate):
                    threshold = conformal_threshold(calibrating, rate)
                    assert threshold is not None
                    flags[rate] += [(e.group, e.label, z > threshold) for e, z in tested]
    return {f"{rate:g}": _rates(rows) for rate, rows in flags.items()}


def _rates(rows: Sequence[tuple[str, int, bool]]) -> dict[str, list[float | None]]:
    groups: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for group, label, flag in rows:
        groups[group].append((label, flag))

    def rates(sample: Sequence[Sequence[tuple[int, bool]]]) -> dict[str, float | None]:
        shares = [[flag for label, flag in g if label == 0] for g in sample]
        safe = [sum(flags) / len(flags) for flags in shares if flags]
        unsafe = [flag for g in sample for label, flag in g if label == 1]
        return {
            "false_alarms": sum(safe) / len(safe) if safe else None,
            "recall": sum(unsafe) / len(unsafe) if unsafe else None,
        }

    found = bootstrap(list(groups.values()), rates, resamples=400)
    return {name: [v and round(v, 3) for v in (i.value, i.low, i.high)] for name, i in found.items()}


def generated(count: int = 600, seed: int = 0) -> list[Case]:
    """Runs whose only mark is which of two overlapping sets of words their last call draws from."""
    generator = random.Random(seed)
    common = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("ara", "elo", "imu", "ota", "une")]
    lean = {0: common[:44], 1: common[16:]}
    cases = []
    for number in range(count):
        label = int(number % 3 == 0)
        ask = f"ticket {number}: " + " ".join(generator.choices(common, k=14))
        note = " ".join(generator.choices(lean[label], k=4))
        call = ToolCall(id="c", name="update_ticket", arguments={"note": note})
        steps = (
            Step(id="0", index=0, role="user", content=ask, sources=("t:0",)),
            Step(id="1", index=1, role="agent", tool_calls=(call,), sources=("t:1",)),
        )
        trajectory = Trajectory(
            id=f"g{number}",
            digest=f"g{number}",
            project="generated",
            agents={"": Agent()},
            completion="final",
            missing=(),
            scopes=(),
            steps=steps,
        )
        cases.append(Case(trajectory=trajectory, label=label, group=f"g{number}", source="generated"))
    return cases


def _read(path: Path) -> list[Case] | None:
    return list(sniff.read(path)) if path.exists() else None


def show(name: str, found: dict[str, Any]) -> None:
    figures = found["figures"]
    counts = f"{figures['runs']} runs, {figures['unsafe']} unsafe, {figures['groups']} groups"
    print(f"{name}: {counts}; {found['cpu_seconds']}")
    for kind in ("learned", "unlearned", "words"):
        measures = figures[kind].items()
        print(f"    {kind:10}", "  ".join(f"{n} {m['value']} ({m['low']} … {m['high']})" for n, m in measures))
    print(f"    difference {figures['difference']}")
    print(f"    F1 by reviews {found['f1_by_reviews']}")
    for rate, row in found["promised"].items():
        print(f"    promised {rate}: {row}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
