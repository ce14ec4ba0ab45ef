#!/usr/bin/env python3
"""Fits the weights of the embedded guard (`agentdog/guards/embedded/model.yaml`) on the development parts, monotone.

    python benchmarks/embedded_fit.py --made made/agentdojo_made.jsonl.gz [--write] [--json]

The ATBench sample is left out of the fit. Each set weighs the same, and in it each class. Of a run that is labelled
safe, and of one whose unsafe step is not known, the step that scores highest stands for it (multiple instances,
Andrews et al. 2002); where the step is known, that step. Weights of detectors are drawn towards one that lets a heavy
finding suffice alone, those of shades towards nothing, so that what the data hardly show keeps what reasoning says.

The bias is placed so that P = 0.5 is the lowest score at which none of the safe development traffic is flagged in more
than 3 % of its runs. Needs numpy and scipy.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from embedded_data import DATA, MADE, SETS, Row, heaviest, read
from scipy.optimize import minimize

from agentdog.base.calibration import auroc
from agentdog.guards.embedded.detectors import DETECTORS
from agentdog.guards.embedded.model import RELIEF
from agentdog.guards.embedded.signals import SHADES

NAMES = [d.name for d in DETECTORS] + list(SHADES)
SIGNS = np.array([-1 if n in RELIEF else 1 for n in NAMES])
ACCUSE, FALSE_ALARMS, SHRINK, ROUNDS, LARGEST = 0.3, 0.03, 0.02, 6, 12.0
PRIOR = np.where(np.arange(len(NAMES)) < len(DETECTORS), 7.0, 0.0)
LEFT_OUT = "atbench_sample"
MODEL = Path(__file__).resolve().parents[1] / "agentdog" / "guards" / "embedded" / "model.yaml"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--made", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write model.yaml")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = read((*SETS, MADE), options.data, options.made, options.limit, options.workers)
    train = [r for r in rows if r.development and _label(r) is not None and r.set != LEFT_OUT]
    weights, bias = fit(train)
    bias -= cut(train, weights, bias)
    found = {"in": _ranks(rows, weights), "left_out": {}}
    for name in sorted({r.set for r in rows if r.label is not None}):
        others = [r for r in train if r.set != name]
        found["left_out"][name] = _ranks([r for r in rows if r.set == name], fit(others)[0])[name]
    kept = {n: round(float(w), 3) for n, w in zip(NAMES, weights, strict=True) if abs(w) >= 0.005}
    if options.write:
        _write(kept, round(float(bias), 3))
    print(json.dumps({"bias": round(float(bias), 3), "weights": kept, "auroc": found}, indent=1))
    return 0


def _label(row: Row) -> int | None:
    return 0 if row.label is None and row.safe_traffic else row.label


def matrix(row: Row) -> np.ndarray:
    """One line per agent step; a run without any has one line of zeros."""
    return np.array([[s.get(n, 0.0) for n in NAMES] for _, s in row.signals] or [[0.0] * len(NAMES)])


def fit(rows: Sequence[Row]) -> tuple[np.ndarray, float]:
    """Fits weights and bias."""
    counts = Counter((r.set, _label(r)) for r in rows)
    shares = np.array([1.0 / counts[r.set, _label(r)] for r in rows])
    shares /= shares.sum()
    labels = np.array([float(_label(r) or 0) for r in rows])
    lines = [matrix(r) for r in rows]
    weights = np.where(SIGNS < 0, -0.5, np.where(np.arange(len(NAMES)) < len(DETECTORS), 4.0, 0.5))
    bias = -3.0
    for _ in range(ROUNDS):
        chosen = np.array([m[_standing(r, m, weights)] for r, m in zip(rows, lines, strict=True)])

        def loss(given: np.ndarray, chosen: np.ndarray = chosen) -> tuple[float, np.ndarray]:
            z = chosen @ given[:-1] + given[-1]
            value = (shares * (np.logaddexp(0, -z) * labels + np.logaddexp(0, z) * (1 - labels))).sum()
            slope = (1 / (1 + np.exp(-z)) - labels) * shares
            apart = given[:-1] - PRIOR
            penalty = SHRINK / len(NAMES)
            gradient = np.append(chosen.T @ slope + 2 * penalty * apart, slope.sum())
            return value + penalty * (apart**2).sum(), gradient

        bounds = [(0, LARGEST) if s > 0 else (-LARGEST, 0) for s in SIGNS] + [(None, None)]
        found = minimize(loss, np.append(weights, bias), jac=True, bounds=bounds, method="L-BFGS-B").x
        weights, bias = found[:-1], float(found[-1])
    return weights, bias


def _standing(row: Row, lines: np.ndarray, weights: np.ndarray) -> int:
    known = [at for at, (index, _) in enumerate(row.signals) if index == row.onset] if row.label == 1 else []
    return known[0] if known else int(np.argmax(lines @ weights))


def cut(rows: Sequence[Row], weights: np.ndarray, bias: float) -> float:
    """The lowest log-odds at which no safe traffic is flagged in more than its share of runs."""
    tops: dict[str, list[float]] = {}
    for row in rows:
        if row.safe_traffic:
            z = matrix(row) @ weights + bias
            accused = [v for v, (_, s) in zip(z, row.signals, strict=False) if heaviest(s) >= ACCUSE]
            tops.setdefault(row.set, []).append(max(accused, default=-99.0))
    return max(float(np.quantile(v, 1 - FALSE_ALARMS)) for v in tops.values()) + 0.01


def _ranks(rows: Sequence[Row], weights: np.ndarray) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name in sorted({r.set for r in rows}):
        for part, development in (("development", True), ("held_out", False)):
            pairs = [
                (r.label, float((matrix(r) @ weights).max()))
                for r in rows
                if r.set == name and r.label is not None and r.development is development
            ]
            value = auroc(pairs)
            found.setdefault(name, {})[part] = None if value is None else round(value, 3)
    return found


def _write(weights: dict[str, float], bias: float) -> None:
    head = (
        "# Log-odds of P(unsafe) of one agent step = bias + sum of weight * signal; P of a prefix: its highest step.\n"
        "# Signals lie in [0, 1]: the weight of each detector's heaviest finding, and the shades of `signals.py`.\n"
        "# given, refuses, asks and warns may only lower P, all others only raise it; an absent signal has weight 0.\n"
        "# `accuse`: no step is unsafe unless some finding weighs at least this much.\n"
        "# Fitted by: python benchmarks/embedded_fit.py --made .../agentdojo_made.jsonl.gz --write\n"
    )
    data = {
        "bias": bias,
        "accuse": ACCUSE,
        "fitted_on": "development parts of AgentDojo, R-Judge, ASSEBench security, ASB, OpenAgentSafety, ODCV-Bench, "
        "app1, tau-bench (reward 1) and the made set; nothing of ATBench",
        "weights": weights,
    }
    MODEL.write_text(head + yaml.safe_dump(data, sort_keys=False, width=118), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
