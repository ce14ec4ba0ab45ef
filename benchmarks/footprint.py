#!/usr/bin/env python3
"""What the sidecar costs an agent's machine: memory and CPU of an idle receiver, and an agent's step time beside it.

    python benchmarks/footprint.py [--idle SECONDS] [--steps N] [--json]

*Idle*: resident memory and share of one core of ``agentdog serve`` (OTLP, gRPC and API), and of a worker, over so many
seconds without traffic; the store is apart. *Agent*: a loop with the official exporter does a fixed piece of work per
step and ends a span with content. It runs without telemetry, without a sidecar (nothing listens), with one, with one
that hangs (SIGSTOP), and with one that was killed; rounds are interleaved, so that a machine that slows down slows all.
Prints medians and 99th percentiles per state, and the ratio of each to the span that is exported nowhere.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import time
from typing import Any

import processes
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer

from tests.support.ports import free_ports

_ROUNDS = 4
_STATES = ("no exporter", "present", "hung", "killed")


def idle(side: dict[str, processes.Proc], seconds: float) -> dict[str, Any]:
    before = {name: proc.cpu_s() for name, proc in side.items()}
    time.sleep(seconds)  # the window that is measured: nobody asks anything
    return {
        name: {
            "rss_mib": round(proc.rss_mib()),
            "percent_of_a_core": round(100 * (proc.cpu_s() - before[name]) / seconds, 2),
        }
        for name, proc in side.items()
    }


def provider(endpoint: str | None) -> TracerProvider:
    made = TracerProvider()
    if endpoint is not None:
        made.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=2), schedule_delay_millis=500)
        )
    return made


def steps(tracer: Tracer, count: int) -> list[float]:
    """CPU milliseconds of this thread per step: what a step costs, not how long others kept it waiting."""
    out = []
    for number in range(count):
        started = time.thread_time()
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.output.messages": f"[{number}]" * 50}
        with tracer.start_as_current_span("chat m", attributes=attributes):
            sum(range(100_000))
        out.append((time.thread_time() - started) * 1000)
        time.sleep(0.002)  # an agent waits for its model between steps; without a pause the exporter never runs
    return out


def agent(receiver: processes.Proc, port: int, count: int) -> dict[str, Any]:
    endpoint = f"http://127.0.0.1:{port}"
    without, sending = provider(None), provider(endpoint)
    times: dict[str, list[float]] = {state: [] for state in _STATES}
    for _ in range(_ROUNDS):
        times["no exporter"] += steps(without.get_tracer("a"), count)
        times["present"] += steps(sending.get_tracer("a"), count)
        receiver.process.send_signal(signal.SIGSTOP)
        times["hung"] += steps(sending.get_tracer("a"), count)
        receiver.process.send_signal(signal.SIGCONT)
    receiver.kill()
    for _ in range(_ROUNDS):
        times["killed"] += steps(sending.get_tracer("a"), count)
        times["no exporter"] += steps(without.get_tracer("a"), count)
    found = {}
    for state, values in times.items():
        p99 = statistics.quantiles(values, n=100)[98]
        found[state] = {"p50_ms": round(statistics.median(values), 3), "p99_ms": round(p99, 3)}
    base = found["no exporter"]
    for values_of in found.values():
        values_of["p99_ratio"] = round(values_of["p99_ms"] / base["p99_ms"], 3)
        values_of["p50_ratio"] = round(values_of["p50_ms"] / base["p50_ms"], 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--idle", type=float, default=30.0)
    parser.add_argument("--steps", type=int, default=150, help="per state and round")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with processes.folder() as where:
        port = free_ports(1)[0]
        processes.redis(where, port=port, fsync="always")
        settings = {"REDIS__URL": f"redis://127.0.0.1:{port}"}
        receiver, otlp, _ = processes.receiver(where, "receiver", settings)
        worker = processes.agentdog(where, "worker", "worker", settings)
        processes.settle(worker)
        result: dict[str, Any] = {
            "load": round(os.getloadavg()[0], 1),
            "idle": idle({"receiver": receiver, "worker": worker}, options.idle),
            "agent": agent(receiver, otlp, options.steps),
        }
    if options.as_json:
        print(json.dumps(result, indent=2))
        return
    for part in ("idle", "agent"):
        for name, values in result[part].items():
            print(part, name, *(f"{key} {value}" for key, value in values.items()), sep="  ")
    print("load", result["load"])


if __name__ == "__main__":
    main()
