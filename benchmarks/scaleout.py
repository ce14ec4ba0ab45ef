#!/usr/bin/env python3
"""Two receivers and four workers on one Redis, or on a Redis Cluster of three; one of each is killed under load.

    python benchmarks/scaleout.py [--store one|cluster] [--runs N] [--redis PROGRAM] [--json]

Clients send small agent runs (`payloads`) to both receivers and send again what was not acknowledged. After a third of
the requests one receiver and one worker are killed with ``kill -9``; nobody starts them again. Then all that was
acknowledged must be readable through the other receiver's API, each run once and with all its steps.

Prints rates, CPU seconds by process, accounting, what is missing (nothing) and what is doubled (nothing). Exit code 1
where something is missing, doubled, or the accounting does not add up. Linux only; ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from contextlib import ExitStack
from typing import Any

import httpx
import otlp_client
import payloads
import processes

from tests.support.redis_servers import cluster, server

_WORKERS, _CONNECTIONS = 4, 2
_PER_REQUEST = 64
_SEED = 7


async def load(ports: list[int], bodies: list[bytes], kill: Any) -> tuple[int, float]:  # noqa: ANN401
    """Sends all, killing on the way; what a dead receiver did not acknowledge goes to the other one."""
    third = len(bodies) // 3
    started = time.perf_counter()
    await asyncio.gather(
        *(
            otlp_client.send(port, bodies[i:third:2], connections=_CONNECTIONS, retry_s=0.5)
            for i, port in enumerate(ports)
        )
    )
    dying = asyncio.create_task(otlp_client.send(ports[0], bodies[third::2], connections=_CONNECTIONS, retry_s=0.5))
    living = asyncio.create_task(
        otlp_client.send(ports[1], bodies[third + 1 :: 2], connections=_CONNECTIONS, retry_s=0.5)
    )
    await asyncio.sleep(0.05)  # requests of both are under way by then
    kill()
    first, _ = await dying, await living
    acknowledged = set(first.acknowledged)
    left = [body for number, body in enumerate(bodies[third::2]) if number not in acknowledged]
    await otlp_client.send(ports[1], left, connections=_CONNECTIONS, retry_s=0.5)
    return len(left), time.perf_counter() - started


def check(api: int, ids: list[str]) -> dict[str, Any]:
    """Reads every run through the API."""
    missing, wrong, seen = [], [], []
    with httpx.Client(base_url=f"http://127.0.0.1:{api}/api/v1", timeout=30) as client:
        for trace in ids:
            answer = client.get(f"/trajectories/{trace}")
            if answer.status_code != 200:
                missing.append(trace)
                continue
            told = answer.json()["trajectory"]
            seen.append(told["id"])
            if len(told["steps"]) != payloads.STEPS:
                wrong.append(trace)
        counts = client.get("/accounting").json()["projects"]["default"]
    return {
        "missing": len(missing),
        "with_other_steps": len(wrong),
        "doubled": len(seen) - len(set(seen)),
        "accounting": counts,
        "accounting_exact": counts["received"] == counts["stored"] + counts["duplicate"] + counts["rejected"],
        "stored_spans_expected": len(ids) * payloads.SPANS,
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    bodies = payloads.requests(options.runs, _PER_REQUEST, _SEED)
    ids = payloads.trace_ids(options.runs, _SEED)
    with ExitStack() as stack:
        where = stack.enter_context(processes.folder())
        make = cluster if options.store == "cluster" else server
        url = stack.enter_context(make(options.redis, appendfsync="always"))
        settings = {"REDIS__URL": url, "JUDGE__SAMPLE": '{"default":0}', "WORKER__LEASE_S": "3"}
        receivers = [processes.receiver(where, f"receiver{n}", settings) for n in range(2)]
        workers = [processes.agentdog(where, "worker", f"worker{n}", settings) for n in range(_WORKERS)]
        for each in (*(r[0] for r in receivers), *workers):
            stack.callback(each.end)

        def kill() -> None:
            receivers[0][0].kill()
            workers[0].kill()

        again, sent_s = asyncio.run(load([r[1] for r in receivers], bodies, kill))
        api = receivers[1][2]
        started = time.perf_counter()
        processes.until("all runs are woven", lambda: woven(api) >= options.runs, 400, 0.5)
        woven_s = time.perf_counter() - started
        cpu = {each.name: round(each.cpu_s(), 2) for each in (receivers[1][0], *workers[1:])}
        time.sleep(4)  # longer than a lease: claims of the dead are taken over
        found = check(api, ids)
    return {
        "store": options.store,
        "program": options.redis or "bundled valkey",
        "spans": options.runs * payloads.SPANS,
        "sent_again": again,
        "acknowledged_per_s": round(options.runs * payloads.SPANS / sent_s),
        "woven_after_s": round(woven_s, 1),
        "cpu_s": cpu,
        **found,
    }


def woven(api: int) -> int:
    counts = httpx.get(f"http://127.0.0.1:{api}/api/v1/projects", timeout=30).json()["projects"].get("default", {})
    return sum(counts.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", choices=("one", "cluster"), default="one")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--redis", help="server program; else the bundled one")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    result = measure(options)
    print(json.dumps(result, indent=2) if options.as_json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    bad = result["missing"] or result["with_other_steps"] or result["doubled"] or not result["accounting_exact"]
    sys.exit(bool(bad or result["accounting"]["stored"] != result["stored_spans_expected"]))


if __name__ == "__main__":
    main()
