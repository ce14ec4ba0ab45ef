#!/usr/bin/env python3
"""Fits the embedded guard's shipped threshold for alerts on safe traffic that nobody read and nothing was fitted on.

    python benchmarks/embedded_calibration.py [--data FOLDER] [--false-alarm 0.05] [--write] [--json]

Scores are the highest P(unsafe) over all steps of a run, one per group, of held-out groups (see `embedded_data.py`):
benign traffic of app1, tau-bench runs that earned their reward, and AgentDojo runs in which no injection was obeyed.
``--write`` puts the result into ``agentdog/diagnosis/calibrations.json``; a guard with another fingerprint is
uncalibrated until this is run again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import msgspec
from embedded_data import DATA, heaviest, read

from agentdog.diagnosis.calibration import FALSE_ALARM, calibrate
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.model import load

SETS = ("app1_benign", "tau_bench", "agentdojo")
SHIPPED = Path(__file__).parents[1] / "agentdog" / "diagnosis" / "calibrations.json"


def main() -> int:
    """Fits, prints, and writes where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--false-alarm", type=float, default=FALSE_ALARM)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model, guard = load(), EmbeddedGuard().info.fingerprint
    rows = [r for r in read(SETS, options.data, None, 0, options.workers) if r.safe_traffic and not r.development]
    if not rows:
        print(f"{options.data} holds none of {', '.join(SETS)}")
        return 2
    scores: dict[str, list[float]] = {}
    for row in rows:
        p = max((model.p(signals, heaviest(signals)) for _, signals in row.signals), default=model.floor)
        scores.setdefault(f"{row.set}:{row.group}", []).append(round(p, 4))
    fitted = calibrate(
        scores,
        guard,
        false_alarm=options.false_alarm,
        source=f"{len(rows)} held-out safe runs of {', '.join(SETS)}: benchmarks/embedded_calibration.py",
        time=time.strftime("%Y-%m-%dT00:00:00.000000000Z", time.gmtime()),
    )
    above = sum(max(group) > fitted.threshold for group in scores.values())
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(fitted)).decode())
    else:
        print(f"guard {guard}: alerts above P(unsafe) {fitted.threshold:g}; {above} of {fitted.groups} groups are")
    if options.write:
        SHIPPED.write_bytes(msgspec.json.format(msgspec.json.encode([fitted]), indent=2) + b"\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
