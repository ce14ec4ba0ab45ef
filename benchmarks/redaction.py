"""What redaction costs: CPU time per span over recorded bodies, beside reading them.

    python benchmarks/redaction.py FOLDER [--json]

FOLDER holds OTLP bodies as files ``*-traces.pb``, such as tests/data/captures. Three ways: as the receiver does it (a
first look at the bytes), every record read closely, and with e-mail, telephone and card as well. CPU time of this
process, best of three.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentdog.service.redaction import build
from agentdog.spans.otlp import PROTOBUF, decode_traces

_TIMES = 3


def cost_us(work: Callable[[], Any], spans: int) -> float:
    """Returns microseconds of CPU per span, the best of a few."""
    best = float("inf")
    for _ in range(_TIMES):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return round(best / spans * 1e6, 1)


def measure(bodies: Sequence[bytes]) -> dict[str, float]:
    """Measures reading and the three ways."""
    plain, personal = build(b"k" * 32), build(b"k" * 32, personal=["email", "phone", "card"])
    decoded = [decode_traces(body, PROTOBUF) for body in bodies]
    spans = sum(len(each.records) for each in decoded)
    pairs = list(zip(decoded, bodies, strict=True))
    return {
        "spans": spans,
        "mean_bytes": round(sum(map(len, bodies)) / spans),
        "decode_us": cost_us(lambda: [decode_traces(body, PROTOBUF) for body in bodies], spans),
        "first_look_us": cost_us(lambda: [plain.clean(each, body) for each, body in pairs], spans),
        "read_closely_us": cost_us(lambda: [plain.clean(each) for each in decoded], spans),
        "with_personal_us": cost_us(lambda: [personal.clean(each) for each in decoded], spans),
    }


def main() -> int:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    bodies = [path.read_bytes() for path in sorted(given.folder.rglob("*-traces.pb"))]
    if not bodies:
        print(f"{given.folder}: no *-traces.pb in it", file=sys.stderr)
        return 2
    found = measure(bodies)
    if given.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:18} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
