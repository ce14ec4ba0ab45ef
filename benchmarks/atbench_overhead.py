"""What `atbench run` costs per row beside the guard: a guard that answers at once, every answer kept.

``python benchmarks/atbench_overhead.py [--rows N] [--json]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from agentdog.guards import Guard, GuardInfo, Health, Outcome, Verdict
from agentdog.trajectory import Header, Step
from agentdog.trajectory.formats import Case
from agentdog.trajectory.formats.turns import from_turns
from atbench.ledger import DataInfo, Ledger, RunInfo
from atbench.record import Mode
from atbench.runner import Asked, Judges, run

_INFO = GuardInfo(name="instant", uri="instant", fingerprint="instant")


class _Session:
    def extend(self, step: Step) -> None:
        """Takes no notice."""

    async def verdict(self) -> Verdict:
        """Answers at once."""
        return Verdict(outcome=Outcome.SAFE, guard=_INFO.fingerprint, p_unsafe=0.1)


class Instant:
    """A guard that costs nothing."""

    info = _INFO

    def open(self, header: Header) -> _Session:
        """Starts nothing."""
        return _Session()

    async def health(self) -> Health:
        """Is always there."""
        return Health(ok=True, detail="instant")

    async def close(self) -> None:
        """Holds nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    turns = [{"role": "user", "content": "Look."}] + [
        {"role": "agent", "action": 'look({"at": "it"})'},
        {"role": "environment", "content": "seen " * 100},
    ] * 4
    cases = [
        Case(trajectory=from_turns(str(n), turns, source="made", where="made"), label=0, group=str(n), source="made")
        for n in range(options.rows)
    ]
    found = {mode.value: _milliseconds(cases, mode, Instant()) for mode in (Mode.TRAJECTORY, Mode.EVERY_STEP)}
    if options.json:
        print(json.dumps({"rows": options.rows, "ms_per_row": found}))
    else:
        for mode, cost in found.items():
            print(f"{mode}: {cost:.3f} ms per row, {options.rows} rows of {len(turns)} steps")


def _milliseconds(cases: list[Case], mode: Mode, guard: Guard) -> float:
    with tempfile.TemporaryDirectory() as folder:
        info = RunInfo(data=DataInfo(name="made", sha256="", format="made", rows=len(cases)), guard=_INFO, mode=mode)
        ledger = Ledger(Path(folder), info)
        asked = [Asked(n, 0, case) for n, case in enumerate(cases)]
        began = time.perf_counter()
        asyncio.run(run(asked, Judges(mode, guard), concurrency=8, done=ledger.add))
        took = time.perf_counter() - began
        ledger.close()
    return took / len(cases) * 1000


if __name__ == "__main__":
    main()
