#!/usr/bin/env python3
"""Spans per CPU-second: acknowledged and durable, and readable as steps; beside Arize Phoenix on the same payloads.

    python benchmarks/ingest.py [--runs N] [--fsync always|everysec] [--phoenix VENV] [--kill] [--json]

Real processes on loopback: the bundled Valkey with an append-only file, ``agentdog serve`` and ``agentdog worker``,
redaction on, nothing judged (it is the way in that is measured). The client sends small agent runs (`payloads`) in
batches of 512 spans, as exporters do by default, over four connections; then one batch at a time, paced, for the time
to the acknowledgement.

* **readable**: CPU seconds of receiver, server and a worker until the API lists every run.
* **durable**: CPU seconds of receiver and server between first request and last acknowledgement; no worker runs.
* **--phoenix VENV**: a virtual environment with ``arize-phoenix`` (``python -m venv V && V/bin/pip install
  arize-phoenix``). Its rate is what its database holds per CPU second of its process.
* **--kill**: 5,000 spans; each server is killed one second after the last acknowledgement, started again, and asked
  what it has.

Machine-dependent: prints what a fixed piece of Python takes as well. Linux only; ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import otlp_client
import payloads
import processes
from processes import Proc

from benchmarks.phoenix_server import phoenix_server
from tests.support.ports import free_ports

_BATCH, _CONNECTIONS = 512, 4
_PACED, _PACED_RATE, _PACED_BATCH = 100, 8.0, 16
_KILL_RUNS = 625  # 5,000 spans
_SEED, _MORE = 1, 8  # what is only made durable is so many times as much: it is done sooner


def cpu(procs: list[Proc]) -> float:
    return sum(each.cpu_s() for each in procs)


class Sidecar:
    """Server and receiver in a folder; a worker is started when it is wanted."""

    def __init__(self, where: Path, fsync: str) -> None:
        self._where, self._fsync = where, fsync
        self._port = free_ports(1)[0]
        self.server = processes.redis(where, port=self._port, fsync=fsync)
        self.settings = {"REDIS__URL": f"redis://127.0.0.1:{self._port}", "JUDGE__SAMPLE": '{"default":0}'}
        self.receiver, self.otlp, self.api = processes.receiver(where, "receiver", self.settings)

    def worker(self) -> Proc:
        """Starts one."""
        return processes.agentdog(self._where, "worker", "worker", self.settings)

    def woven(self) -> int:
        """Runs that the API lists."""
        answer = httpx.get(f"http://127.0.0.1:{self.api}/api/v1/projects", timeout=60)
        return sum(answer.json()["projects"].get("default", {}).values())

    def stored(self) -> int:
        """Spans that the accounting says are stored."""
        answer = httpx.get(f"http://127.0.0.1:{self.api}/api/v1/accounting", timeout=60)
        return int(answer.json()["projects"]["default"]["stored"])


def ours(runs: int, fsync: str) -> dict[str, Any]:
    with processes.folder() as where:
        side = Sidecar(where, fsync)
        both = [side.server, side.receiver]
        worker = side.worker()
        processes.settle(worker)
        before = cpu([*both, worker])
        asyncio.run(otlp_client.send(side.otlp, payloads.requests(runs, _BATCH, _SEED), connections=_CONNECTIONS))
        processes.until("every run is woven", lambda: side.woven() >= runs, 420, 1.0)
        readable = cpu([*both, worker]) - before
        rss = {each.name: round(each.rss_mib()) for each in (*both, worker)}
        worker.end()
        many = runs * _MORE
        before = cpu(both)
        sent = asyncio.run(otlp_client.send(side.otlp, payloads.requests(many, _BATCH, 2), connections=_CONNECTIONS))
        durable = cpu(both) - before
        if sent.refused:
            raise SystemExit(f"{sent.refused} of the requests were refused: a rate over all of them would be too high")
        paced = payloads.requests(_PACED * _PACED_BATCH // payloads.SPANS, _PACED_BATCH, 3)
        alone = asyncio.run(otlp_client.send(side.otlp, paced, connections=1, rate=_PACED_RATE))
    return {
        "system": f"agentdog, appendfsync {fsync}",
        "durable_spans": len(sent.acknowledged) * _BATCH,
        "durable_per_cpu_s": round(many * payloads.SPANS / durable),
        "readable_spans": runs * payloads.SPANS,
        "readable_per_cpu_s": round(runs * payloads.SPANS / readable),
        "ack_p50_ms": alone.percentile_ms(0.5),
        "ack_p99_ms": alone.percentile_ms(0.99),
        "rss_mib": rss,
    }


def phoenix(runs: int, venv: Path) -> dict[str, Any]:
    spans = runs * payloads.SPANS
    with processes.folder() as where:
        proc, _, port = phoenix_server(venv, where)
        before = proc.cpu_s()
        sent = asyncio.run(otlp_client.send(port, payloads.requests(runs, _BATCH, _SEED), connections=_CONNECTIONS))
        acknowledged = proc.cpu_s() - before
        processes.until("Phoenix has stored all", lambda: _rows(where) >= spans, 420, 1.0)
        stored = proc.cpu_s() - before
        rss = round(proc.rss_mib())
        proc.end()
    return {
        "system": "Arize Phoenix, SQLite",
        "spans": spans,
        "acknowledged": len(sent.acknowledged) * _BATCH,
        "acknowledged_per_cpu_s": round(spans / max(acknowledged, 0.01)),
        "readable_per_cpu_s": round(spans / stored),
        "rss_mib": {"phoenix": rss},
    }


def _rows(where: Path) -> int:
    with sqlite3.connect(f"file:{where / 'phoenix' / 'phoenix.db'}?mode=ro", uri=True) as base:
        return int(base.execute("select count(*) from spans").fetchone()[0])


def killed(fsync: str, venv: Path | None) -> Iterator[dict[str, Any]]:
    """Kills each one second after it acknowledged 5,000 spans."""
    bodies = payloads.requests(_KILL_RUNS, _BATCH, _SEED)
    with processes.folder() as where:
        side = Sidecar(where, fsync)
        sent = _send_and_kill(side.otlp, bodies, [side.receiver, side.server])
        side.server.start()
        side.receiver.start()
        processes.until("ready again", lambda: processes.answers(f"http://127.0.0.1:{side.api}/readyz"))
        yield _killed(f"agentdog, appendfsync {fsync}", sent, side.stored)
    if venv is not None:
        with processes.folder() as where:
            proc, _, port = phoenix_server(venv, where)
            sent = _send_and_kill(port, bodies, [proc])
            proc.start()
            processes.settle(proc)  # it works off what it kept, and says nowhere when it has
            yield _killed("Arize Phoenix, SQLite", sent, lambda: _rows(where))


def _send_and_kill(port: int, bodies: list[bytes], procs: list[Proc]) -> otlp_client.Sent:
    sent = asyncio.run(otlp_client.send(port, bodies, connections=_CONNECTIONS))
    time.sleep(1)  # the second of the promise that is measured: killed one second after the last acknowledgement
    for each in procs:
        each.kill()
    return sent


def _killed(system: str, sent: otlp_client.Sent, stored: Callable[[], int]) -> dict[str, Any]:
    spans = _KILL_RUNS * payloads.SPANS if not sent.refused else 0
    return {"system": system, "acknowledged": spans, "there_after_kill": stored()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=640, help="agent runs of eight spans")
    parser.add_argument("--fsync", choices=("always", "everysec"), default="always")
    parser.add_argument("--phoenix", type=Path, help="virtual environment that has arize-phoenix")
    parser.add_argument("--kill", action="store_true", help="what is there after kill -9")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for row in measured(options):
        rows.append(row)
        if not options.as_json:
            print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    if options.as_json:
        print(json.dumps(rows, indent=2))


def measured(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields rows as they are known: a busy machine may need minutes for each."""
    yield {"python_ms": processes.pace_ms(), "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    if options.kill:
        yield from killed(options.fsync, options.phoenix)
        return
    mine = ours(options.runs, options.fsync)
    yield mine
    if options.phoenix is not None:
        theirs = phoenix(options.runs, options.phoenix)
        yield theirs
        yield {"readable_ratio": round(mine["readable_per_cpu_s"] / theirs["readable_per_cpu_s"], 1)}


if __name__ == "__main__":
    main()
