#!/usr/bin/env python3
"""What the sidecar costs an agent's machine: memory and CPU of an idle receiver, and an agent's step time beside it.

    python benchmarks/footprint.py [--idle SECONDS] [--rounds N] [--lengths 3,50,1000] [--namespace] [--json]

*Idle*: resident memory and share of one core of ``agentdog serve`` (OTLP, gRPC and API), and of a worker, over so many
seconds without traffic; the store is apart. *Agent*: a loop with the official exporter does 3 ms of work per step,
waits for the rest of its length as for a model, and ends a span with content. Its spans are exported nowhere, to a
sidecar that judges them, to one that hangs (SIGSTOP), or to one that was killed. The four take turns in short blocks,
in an order that rotates, so that a machine that slows down slows all. Printed are wall and CPU time (of the agent's
thread) per step, and the ratio of each 99th percentile to that of spans exported nowhere with its 95 % interval
(bootstrap over rounds); a ratio of a state to itself, from the rounds' halves, says how much is noise.
``--namespace``: in a network namespace of its own, where nothing else of the machine is heard (Linux, root).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import processes
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer

from agentdog.base.stats import bootstrap, quantile
from tests.support.ports import free_ports

_STATES = ("no exporter", "present", "hung", "killed")
_WORK_MS = 3.0
_BLOCK_MS = 400.0  # about how long one state is measured in one round, and at least so many steps
_LEAST, _MOST = 3, 60
_WALL, _CPU = 0, 1

#: Per state, wall and CPU milliseconds of every step of one round.
Round = dict[str, list[tuple[float, float]]]


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


def steps(tracer: Tracer, count: int, length_ms: float) -> list[tuple[float, float]]:
    """Wall and CPU milliseconds of this thread per step."""
    out = []
    for number in range(count):
        started, cpu = time.perf_counter(), time.thread_time()
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.output.messages": f"[{number}]" * 50}
        with tracer.start_as_current_span("chat m", attributes=attributes):
            sum(range(100_000))
            if length_ms > _WORK_MS:
                time.sleep((length_ms - _WORK_MS) / 1000)  # the agent waits for its model
        out.append(((time.perf_counter() - started) * 1000, (time.thread_time() - cpu) * 1000))
        time.sleep(0.002)  # between steps of 3 ms as well; without a pause the exporter never runs
    return out


def agent(receiver: processes.Proc, port: int, dead: int, rounds: int, length_ms: float) -> dict[str, Any]:
    here, nowhere = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{dead}"
    to = {state: provider(end) for state, end in zip(_STATES, (None, here, here, nowhere), strict=True)}
    count = max(_LEAST, min(_MOST, int(_BLOCK_MS / length_ms)))
    taken: list[Round] = []
    for turn in range(rounds):
        at = turn % len(_STATES)
        taken.append({s: block(to[s], s, receiver, count, length_ms) for s in (*_STATES[at:], *_STATES[:at])})
    for each in to.values():
        each.shutdown()
    return {"length_ms": length_ms, "steps_per_state": count * rounds, **report(taken)}


def block(
    to: TracerProvider, state: str, receiver: processes.Proc, count: int, length_ms: float
) -> list[tuple[float, float]]:
    if state == "hung":
        receiver.process.send_signal(signal.SIGSTOP)
    try:
        return steps(to.get_tracer("a"), count, length_ms)
    finally:
        if state == "hung":
            receiver.process.send_signal(signal.SIGCONT)
        to.force_flush(5000)  # not in the next state's time


def report(taken: Sequence[Round]) -> dict[str, Any]:
    def of(rounds: Sequence[Round], state: str, kind: int, q: float) -> float:
        return quantile(sorted(step[kind] for each in rounds for step in each[state]), q)

    def ratios(rounds: Sequence[Round]) -> dict[str, float | None]:
        base = {kind: of(rounds, _STATES[0], kind, 0.99) for kind in (_WALL, _CPU)}
        return {f"{s}/{kind}": of(rounds, s, kind, 0.99) / base[kind] for s in _STATES[1:] for kind in (_WALL, _CPU)}

    intervals = bootstrap(taken, ratios, resamples=500)
    found: dict[str, Any] = {}
    for state in _STATES:
        found[state] = {
            "wall_p50_ms": round(of(taken, state, _WALL, 0.5), 3),
            "wall_p99_ms": round(of(taken, state, _WALL, 0.99), 3),
            "cpu_p50_ms": round(of(taken, state, _CPU, 0.5), 3),
            "cpu_p99_ms": round(of(taken, state, _CPU, 0.99), 3),
        }
        for kind, name in ((_WALL, "wall"), (_CPU, "cpu")):
            if (each := intervals.get(f"{state}/{kind}")) is not None:
                found[state][f"{name}_p99_ratio"] = [
                    round(x, 3) for x in (each.value or 0, each.low or 0, each.high or 0)
                ]
    one, other = taken[::2], taken[1::2]
    noise = of(one, _STATES[0], _WALL, 0.99) / of(other, _STATES[0], _WALL, 0.99) if other else None
    return {"noise_wall_p99_ratio": round(noise, 3) if noise else None, "states": found}


def apart(arguments: Sequence[str]) -> int:
    """Runs this again in a network namespace of its own."""
    again = f'ip link set lo up && exec "{sys.executable}" "$0" "$@"'
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        raise SystemExit("skipped: a network namespace needs the programs unshare and ip")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        raise SystemExit("skipped: this user may make no network namespace")
    return subprocess.run(["unshare", "-n", "sh", "-c", again, __file__, *arguments], check=False).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--idle", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=16, help="turns of the four states")
    parser.add_argument("--lengths", default="3,50,1000", help="of a step, in ms")
    parser.add_argument("--namespace", action="store_true")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # that nobody answers is what is measured
    if options.namespace:
        sys.exit(apart([word for word in sys.argv[1:] if word != "--namespace"]))
    with processes.folder() as where:
        port = free_ports(1)[0]
        processes.redis(where, port=port, fsync="always")
        settings = {"REDIS__URL": f"redis://127.0.0.1:{port}"}
        receiver, otlp, _ = processes.receiver(where, "receiver", settings)
        killed, dead, _ = processes.receiver(where, "killed", settings)
        worker = processes.agentdog(where, "worker", "worker", settings)
        processes.settle(worker)
        killed.kill()
        result: dict[str, Any] = {
            "load": round(os.getloadavg()[0], 1),
            "python_ms": processes.pace_ms(),
            "idle": idle({"receiver": receiver, "worker": worker}, options.idle),
            "agent": [agent(receiver, otlp, dead, options.rounds, float(each)) for each in options.lengths.split(",")],
        }
    if options.as_json:
        print(json.dumps(result, indent=2))
        return
    for name, values in result["idle"].items():
        print("idle", name, *(f"{key} {value}" for key, value in values.items()), sep="  ")
    for each in result["agent"]:
        print(
            f"steps of {each['length_ms']:g} ms, {each['steps_per_state']} a state,",
            f"halves of one state differ by {each['noise_wall_p99_ratio']}",
        )
        for state, values in each["states"].items():
            print(" ", state, *(f"{key} {value}" for key, value in values.items()), sep="  ")
    print("load", result["load"], "python_ms", result["python_ms"])


if __name__ == "__main__":
    main()
