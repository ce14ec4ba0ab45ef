#!/usr/bin/env python3
"""What the embedded guard reaches on the labelled sets, judging every step: a run is flagged when any step is unsafe.

    python benchmarks/embedded_guard.py [--made FILE] [--data FOLDER] [--only NAME ...] [--part held_out] [--json]

Prints per set and part (see `embedded_data.py` for the split): AUROC and F1 with 95 % intervals by group, recall,
precision, the share of safe runs flagged, exact onsets where the step is labelled, flags per detector; false
alarms on safe traffic; flags per behaviour of the made set; and the time per step, with how it grows with the length.
Nothing is fitted here. Sets that are not there are skipped and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embedded_data import DATA, MADE, SETS, Row, heaviest, read

from agentdog.base.calibration import auroc
from agentdog.base.stats import bootstrap
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.embedded.detectors import DETECTORS
from agentdog.guards.embedded.model import THRESHOLD, load
from agentdog.trajectory import Agent, Header, Step, ToolCall

MODEL = load()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of NAME.jsonl.gz files")
    parser.add_argument("--made", type=Path, help="file of atbench make agentdojo")
    parser.add_argument("--limit", type=int, default=3000, help="rows of the made set at most")
    parser.add_argument("--only", nargs="*", default=[*SETS, MADE], help="names of sets")
    parser.add_argument("--part", choices=("held_out", "development"), help="one part only")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows = read(options.only, options.data, options.made, options.limit, options.workers)
    for name in set(options.only) - {r.set for r in rows}:
        print(f"{name}: not there, skipped", file=sys.stderr)
    found: list[dict[str, Any]] = []
    for part in ("held_out", "development"):
        if options.part in (None, part):
            mine = [r for r in rows if r.development is (part == "development")]
            found += [{"set": n, "part": part, **score([r for r in mine if r.set == n])} for n in options.only]
    result = {"guard": EmbeddedGuard().info.fingerprint, "sets": [f for f in found if f["rows"]], "speed": speed(rows)}
    print(json.dumps(result, indent=1)) if options.json else show(result)
    return 0 if rows else 2


def p_unsafe(row: Row) -> list[float]:
    return [MODEL.p(s, heaviest(s)) for _, s in row.signals]


def onset(row: Row) -> int | None:
    """The first step that is unsafe."""
    return next((i for (i, _), p in zip(row.signals, p_unsafe(row), strict=True) if p >= THRESHOLD), None)


def score(rows: Sequence[Row]) -> dict[str, Any]:
    groups: dict[str, list[tuple[int | None, float, bool]]] = defaultdict(list)
    for row in rows:
        groups[row.group].append((row.label, max(p_unsafe(row), default=MODEL.floor), onset(row) is not None))
    kinds: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        kinds[f"{row.kind or 'all'}, label {row.label}"].append(onset(row) is not None)
    intervals = bootstrap(list(groups.values()), statistics, resamples=400)
    hits = [(r, at) for r in rows if r.label == 1 and r.onset is not None and (at := onset(r)) is not None]
    exact = sum((r.onset if r.onset_from is None else r.onset_from) <= at <= (r.onset or 0) for r, at in hits)
    first = [dict(r.signals)[at] for r in rows if (at := onset(r)) is not None]
    return {
        "rows": len(rows),
        "unsafe": sum(r.label == 1 for r in rows),
        **{n: [round(v, 3) if v is not None else None for v in (i.value, i.low, i.high)] for n, i in intervals.items()},
        "abstained": _abstained(rows),
        "onset_exact": round(exact / len(hits), 3) if hits else None,
        "flagged": {k: f"{sum(v)}/{len(v)}" for k, v in sorted(kinds.items())},
        "by_detector": dict(Counter(d.name for s in first for d in DETECTORS if s.get(d.name, 0) >= MODEL.accuse)),
    }


def _abstained(rows: Sequence[Row]) -> str:
    """Agent steps that are not judged, of all."""
    steps, abstained = sum(len(r.signals) for r in rows), sum(r.abstained for r in rows)
    return f"{abstained}/{steps} ({100 * abstained / max(steps, 1):.1f} %)"


def statistics(sample: Sequence[Sequence[tuple[int | None, float, bool]]]) -> Mapping[str, float | None]:
    held = [(label, p, flag) for group in sample for label, p, flag in group if label is not None]
    hit = sum(flag for label, _, flag in held if label == 1)
    false = sum(flag for label, _, flag in held if label == 0)
    unsafe, safe = (sum(label == c for label, _, _ in held) for c in (1, 0))
    return {
        "auroc": auroc([(label or 0, p) for label, p, _ in held]),
        "f1": 2 * hit / (unsafe + hit + false) if unsafe else None,
        "recall": hit / unsafe if unsafe else None,
        "precision": hit / (hit + false) if unsafe and hit + false else None,
        "safe_flagged": false / safe if safe else None,
    }


def speed(rows: Sequence[Row]) -> dict[str, Any]:
    """Milliseconds per step; and of a run of one kind of step, how the last tenth costs beside the first."""
    times = sorted(t for r in rows for t in r.latencies) or [0.0]
    guard = EmbeddedGuard()
    long = {f"{n} steps": _growing(guard, n) for n in (40, 400)}
    place = {f"p{q}_ms": round(times[min(len(times) - 1, len(times) * q // 100)] * 1000, 3) for q in (50, 99)}
    return {"rows": place, "runs of 2.5 kB a step": long}


def _growing(guard: EmbeddedGuard, steps: int) -> dict[str, float]:
    session, taken = guard.open(Header(agents={"": Agent(system="You help.")})), []
    for index in range(steps):
        step = _step(index)
        began = time.process_time()
        session.extend(step)
        taken.append(time.process_time() - began)
    part = max(3, steps // 10)
    first, last = sum(taken[3 : part + 3]) / part, sum(taken[-part:]) / part
    ordered = sorted(taken)
    p50, p99 = (round(ordered[min(steps - 1, steps * q // 100)] * 1000, 3) for q in (50, 99))
    return {"p50_ms": p50, "p99_ms": p99, "last_tenth_to_first": round(last / max(first, 1e-9), 2)}


def _step(index: int) -> Step:
    text = (
        f"Row {index}: write to user{index}@corp.test about order A{index:06}, due 2024-05-{1 + index % 28:02}. " * 32
    )
    kinds = ("user", "agent", "environment")
    role = kinds[1 + index % 2] if index else kinds[0]
    call = ToolCall(id="c", name="send_email", arguments={"to": f"user{index}@corp.test", "body": text[:2000]})
    if role == "agent":
        return Step(id="s", index=index, role="agent", tool_calls=(call,), sources=("t:s",))
    content, result = (text, None) if role == "user" else (None, text)
    return Step(id="s", index=index, role=role, content=content, tool_result=result, sources=("t:s",))  # type: ignore[arg-type]


def show(result: Mapping[str, Any]) -> None:
    for row in result["sets"]:
        print(f"{row['set']} ({row['part']}): {row['rows']} rows, {row['unsafe']} unsafe")
        for name in ("auroc", "f1", "recall", "precision", "safe_flagged"):
            if row[name][0] is not None:
                print(f"    {name:14}{row[name][0]:.3f} ({row[name][1]:.3f} … {row[name][2]:.3f})")
        for name in ("abstained", "onset_exact", "flagged", "by_detector"):
            print(f"    {name:14}{row[name]}")
    print(json.dumps(result["speed"]))


if __name__ == "__main__":
    sys.exit(main())
