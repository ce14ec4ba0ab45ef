#!/usr/bin/env python3
"""What judging every step costs and finds: any step, last prefix only, calibrated maximum, in one table.

    python -m benchmarks.cost_and_quality --data FOLDER [--sets a,b] [--small-model ROWS] [--json]

FOLDER holds the files of rows, in any format that `atbench` reads. Each set is judged through `atbench` with ``--mode
every-step`` by the embedded guard, and ROWS rows of R-Judge, spread evenly over the file, by SmolLM2-135M behind a real
llama.cpp server: a wiring fixture that knows nothing of safety, which shows what flickering verdicts do to each rule.
Its cut is put into the midst of what it answers, since it never says more than 0.1.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from atbench.data import Taking
from atbench.record import Mode
from atbench.report import Report
from atbench.show import percent, with_bounds
from benchmarks.processes import machine
from benchmarks.results import judge

SMALL, SMALL_CUT = "rjudge564", 0.04


def main() -> int:
    """Judges and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="agentdojo,asse_security,atbench_sample,odcv_bench,openagentsafety,rjudge564")
    parser.add_argument("--small-model", type=int, metavar="ROWS")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {
        name: _judge(options.data / f"{name}.jsonl.gz", "embedded", Taking())
        for name in options.sets.split(",")
        if name
    }
    if options.small_model:
        found |= dict(_small(options.data, options.small_model))
    if options.json:
        print(json.dumps({name: msgspec.to_builtins(one.flagging) for name, one in found.items()}, indent=2))
        return 0
    print(f"{machine()}, no GPU, {time.strftime('%Y-%m-%d')}\n")
    print("| set, guard | rows, unsafe | verdicts a run | seconds a run | rule | recall | false alarms | withdrawn |")
    print("|---|---|---|---|---|---|---|---|")
    for name, one in found.items():
        for line in _lines(name, one):
            print(line)
    return 0


def _small(data: Path, rows: int) -> Iterator[tuple[str, Report]]:
    from tests.support import llama_server

    if missing := llama_server.missing():
        raise SystemExit(missing)
    path = data / f"{SMALL}.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder, llama_server.llama_server() as (url, _):
        some = Path(folder) / "rows.jsonl"
        some.write_bytes(b"".join(lines[:: max(1, len(lines) // rows)][:rows]))
        uri = f"server:{url}?model=smollm2&concurrency=1&timeout=300&threshold={SMALL_CUT}"
        yield f"{SMALL}, SmolLM2", _judge(some, uri, Taking())


def _judge(path: Path, guard: str, taking: Taking) -> Report:
    return judge(path, guard, Mode.EVERY_STEP, taking, baselines=False)


def _lines(name: str, one: Report) -> Iterator[str]:
    found, spent = one.flagging, one.spent
    if found is None:
        return
    seconds = f"{spent.row_seconds / len(one.rows):.3f}"
    withdrawn = f"{found.withdrawn_count} ({percent(found.withdrawn)} %), {found.withdrawn_unsafe} of them unsafe"
    head = f"{name} | {found.rows}, {found.unsafe} | {found.verdicts} | {seconds}"
    for rule, recall in found.recall.items():
        yield f"| {head} | {rule} | {with_bounds(recall)} | {with_bounds(found.false_alarms[rule])} | {withdrawn} |"
        head, withdrawn = " | | |", ""
    if found.refused:
        yield f"| {head} | calibrated maximum | refused: {found.refused} | | |"


if __name__ == "__main__":
    sys.exit(main())
