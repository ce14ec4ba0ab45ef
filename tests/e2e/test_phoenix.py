"""Verdicts in Arize Phoenix: a real server that an agent and the sidecar report to shows both in one trace."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from agentdog.service.settings import load_settings
from agentdog.spans.otlp_encode import encode_traces
from agentdog.store.redis_store import RedisStore
from tests.diagnosis.making import Served, of
from tests.service.test_evaluations import RUN, TRACE, run_until
from tests.support.ports import free_ports
from tests.support.records import batch
from tests.support.stores import play, running_server

PYTHON = Path(__file__).parents[2] / ".venv-phoenix" / "bin" / "python"
SECONDS = 300.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="Phoenix is not installed: make .venv-phoenix/done (600 MB)"),
]


@contextmanager
def phoenix(folder: Path) -> Iterator[str]:
    port, grpc_port = free_ports(2)
    environment = {
        **os.environ,
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc_port),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    command = [str(PYTHON), "-m", "phoenix.server.main", "serve"]
    log = (folder / "server.log").open("wb")
    with log, subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log) as process:
        base, deadline = f"http://127.0.0.1:{port}", time.monotonic() + SECONDS
        try:
            while not _up(base):
                assert process.poll() is None and time.monotonic() < deadline, "Phoenix did not start"
                time.sleep(0.2)
            yield base
        finally:
            process.kill()


def _up(base: str) -> bool:
    try:
        return httpx.get(f"{base}/healthz").is_success
    except httpx.TransportError:
        return False


def spans_of(base: str, project: str) -> dict[str, Any]:
    answer = httpx.get(f"{base}/v1/projects/{project}/spans", params={"limit": 100})
    rows = answer.json()["data"] if answer.is_success else []
    return {row["context"]["span_id"]: row for row in rows}


def test_phoenix_shows_each_verdict_below_the_span_it_is_about(tmp_path: Path) -> None:
    run = [msgspec.structs.replace(s, resource={"openinference.project.name": "mail"}) for s in RUN]
    with phoenix(tmp_path) as base, running_server() as server:
        settings = load_settings(
            outbound={"otlp": {"endpoint": base}}, judge={"observations": "all", "quiet_s": 0}, idle_s=0.1
        )

        body, headers = gzip.compress(encode_traces(run)), {"content-type": "application/x-protobuf"}
        headers["content-encoding"] = "gzip"
        httpx.post(f"{base}/v1/traces", content=body, headers=headers).raise_for_status()

        async def scenario(store: RedisStore) -> None:
            await store.append("p", batch(*run))

            async def over() -> bool:
                return len(await asyncio.to_thread(spans_of, base, "mail")) >= len(run) + 3

            await run_until(store, settings, Served(of([1], 0.93)), over)
            assert not await store.deliveries(["p"], 10), "that it takes no logs is no failure"

        play(server.url, scenario)
        found = spans_of(base, "mail")
    told = [row for row in found.values() if row["name"] == "gen_ai.evaluation.result"]
    assert {row["parent_id"] for row in told} == {f"{number:016x}" for number in (2, 3, 4)}
    assert {row["context"]["trace_id"] for row in found.values()} == {TRACE}, "one trace, in the agent's project"
    assert {row["span_kind"] for row in told} == {"EVALUATOR"}
    (unsafe,) = [row for row in told if row["attributes"]["gen_ai.evaluation.score.label"] == "unsafe"]
    assert unsafe["parent_id"] == f"{2:016x}"
    assert unsafe["attributes"]["gen_ai.evaluation.score.value"] == pytest.approx(0.93)
