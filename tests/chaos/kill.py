"""``kill -9`` of receiver, worker and store at random moments, under load of the official Python exporter.

    python -m tests.chaos.kill [--kills 50] [--fsync always|everysec] [--seed N] [--minutes 8] [--json]

A child process runs an instrumented agent: spans of small runs go through `BatchSpanProcessor` and the HTTP exporter,
and whatever the exporter says was exported is written down as acknowledged. Meanwhile ``agentdog up`` loses one of its
processes again and again. In the end every acknowledged model call must be told by a step, no two steps say the same
(every text of that agent's is its own), no fewer spans be stored than were acknowledged, and
``received = stored + duplicate + rejected`` hold. Exit code 1 where not.

A kill comes once something was acknowledged after the one before, so that most of the time goes by with processes
starting: about five seconds a kill on two cores. It ends by itself: after so many minutes it kills no more, waits until
all is woven, and says how many kills there were; fifty may be had in pieces, each with a seed of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from agentdog.service.settings import Settings, load_settings
from tests.conftest import listen_anywhere
from tests.support.tree import descendants, ready, up

_AGENT = Path(__file__).with_name("exporting_agent.py")
_LONGEST_S = 480.0
_PATIENCE_S = 240.0


def run(kills: int, *, fsync: str, seed: int, longest_s: float = _LONGEST_S) -> dict[str, Any]:
    """Kills and counts; returns what was found."""
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="ad-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(
            data=Path(folder) / "data",
            redis={"fsync": fsync, "timeout_s": 3},
            worker={"lease_s": 2.0},
            judge={"sample": {"default": 0.0}},
            **listen_anywhere(),
        )
        said = Path(folder) / "acknowledged.txt"
        said.touch()
        with up(settings, Path(folder) / "up.log") as supervisor:
            until(lambda: ready(settings), "ready")
            agent = subprocess.Popen(
                [sys.executable, str(_AGENT), settings.otlp_endpoint, str(said)],
                stderr=subprocess.DEVNULL,  # it says at length that nobody answers
            )
            deadline = time.monotonic() + longest_s
            began = time.monotonic()
            try:
                for number in range(kills):
                    before = said.stat().st_size
                    while said.stat().st_size == before and time.monotonic() < deadline:
                        time.sleep(0.01)
                    time.sleep(chance.random() / 5)
                    if time.monotonic() > deadline:
                        break
                    name, pid = chance.choice(_killable(supervisor.pid) or [("", 0)])
                    if pid:
                        os.kill(pid, signal.SIGKILL)
                        killed[name] += 1
                        taken = time.monotonic() - began
                        print(f"{taken:5.0f} s: {number + 1} of {kills}, {name} {pid}", file=sys.stderr, flush=True)
            finally:
                agent.send_signal(signal.SIGTERM)  # it flushes what it holds
                agent.wait(90)
            until(lambda: ready(settings), "ready again")
            acknowledged = [line.split()[1] for line in said.read_text().splitlines()]
            calls = {line.split()[1] for line in said.read_text().splitlines() if line.startswith("chat ")}
            found = _found(settings, acknowledged, calls)
    return {
        "fsync": fsync,
        "kills": killed.total(),
        "killed": dict(killed),
        "seconds": round(time.monotonic() - began),
        **found,
    }


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits; long, since machines that run tests are busy."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"not {what} after {_PATIENCE_S:.0f} s")
        time.sleep(0.1)


def _killable(supervisor: int) -> list[tuple[str, int]]:
    found = []
    for pid in descendants(supervisor):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"valkey-server" in words[0]:
            found.append(("store", pid))
        elif names := {b"serve", b"worker"} & set(words):
            found.append((names.pop().decode(), pid))
    return found


def _found(settings: Settings, acknowledged: Sequence[str], calls: set[str]) -> dict[str, Any]:
    """Reads every trajectory through the API."""
    traces = sorted({each.partition(":")[0] for each in acknowledged})
    with httpx.Client(base_url=settings.api_url, timeout=30) as client:
        until(lambda: "agentdog_queue_units 0.0" in client.get("/metrics").text, "woven")
        told: set[str] = set()
        said: Counter[tuple[str, str]] = Counter()  # every text of the agent's is said once
        seen: set[str] = set()
        for trace in traces:
            answer = client.get(f"/api/v1/trajectories/{trace}")
            if answer.status_code != 200:
                continue
            trajectory = answer.json()["trajectory"]
            if trajectory["id"] in seen:
                continue
            seen.add(trajectory["id"])
            for step in trajectory["steps"]:
                said[step["role"], step["content"]] += 1
                told.update(step["sources"])
        counts = client.get("/api/v1/accounting").json()["projects"]["default"]
        letters = "agentdog_dead_letters 0.0" in client.get("/metrics").text
    return {
        "acknowledged_spans": len(acknowledged),
        "lost": max(len(calls - told), len(set(acknowledged)) - counts["stored"], 0),
        "doubled": sum(n > 1 for n in said.values()),
        "accounting": counts,
        "accounting_exact": counts["received"] == counts["stored"] + counts["duplicate"] + counts["rejected"],
        "no_dead_letters": letters,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--fsync", choices=("always", "everysec"), default="always")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=_LONGEST_S / 60, help="no kill after so long")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    result = run(options.kills, fsync=options.fsync, seed=options.seed, longest_s=options.minutes * 60)
    print(json.dumps(result, indent=2) if options.as_json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    sys.exit(bool(result["lost"] or result["doubled"] or not result["accounting_exact"]))


if __name__ == "__main__":
    main()
