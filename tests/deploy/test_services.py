"""What runs: the systemd unit, and the sidecar of an agent's pod with nothing of its own left behind."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from agentdog.spans.otlp_encode import encode_traces
from tests.deploy.compose import DEPLOY
from tests.deploy.kustomize import build, containers
from tests.support.ports import free_ports
from tests.support.records import span
from tests.support.redis_servers import server
from tests.support.stores import store_at
from tests.support.waiting import until

SYSTEMD = shutil.which("systemd-analyze")


def analyze(*arguments: str) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(SYSTEMD is None, reason="no systemd-analyze here: apt-get install systemd")
def test_the_unit_is_one_that_systemd_takes_and_confines(tmp_path: Path) -> None:
    unit = (DEPLOY / "agentdog.service").read_text()
    here = tmp_path / "agentdog.service"
    # The program where it is, instead of where the unit's first lines put it: `verify` looks whether it can be run.
    here.write_text(unit.replace("/usr/local/lib/agentdog/bin", str(Path(sys.executable).parent)))
    analyze("verify", str(here))
    level = re.search(r"exposure level for \S+: ([\d.]+)", analyze("security", "--offline=true", str(here)))
    assert level and float(level[1]) < 3


@pytest.mark.slow
def test_the_sidecar_of_a_pod_keeps_nothing_that_dies_with_it(tmp_path: Path) -> None:
    (agent,) = (o for o in build(DEPLOY / "kubernetes" / "overlays" / "agent") if o["kind"] == "Deployment")
    sidecar = containers(agent)[0]
    data = tmp_path / "data"
    names = ("OTLP_GRPC", "OTLP_HTTP", "API", "UI")
    ports = dict(zip(names, free_ports(4), strict=True))
    with server() as url:
        (tmp_path / "redis-url").write_text(url)
        (tmp_path / "redaction-key").write_text("k" * 32)
        given = {e["name"]: e["value"].replace("/secrets", str(tmp_path)) for e in sidecar["env"]}
        given |= {f"AGENTDOG_{name}__PORT": str(port) for name, port in ports.items()}
        environment = {**os.environ, **given, "AGENTDOG_DATA": str(data)}
        process = subprocess.Popen([sys.executable, "-m", "agentdog", *sidecar["args"]], env=environment)
        try:
            until(lambda: _answers(ports["API"]), "the sidecar answers")
            httpx.post(
                f"http://127.0.0.1:{ports['OTLP_HTTP']}/v1/traces",
                content=encode_traces([span(0, 0)]),
                headers={"content-type": "application/x-protobuf"},
            ).raise_for_status()
        finally:
            process.kill()
            process.wait()
        assert not [path for path in data.rglob("*") if path.is_file()]
        assert asyncio.run(_stored(url)) == 1


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
    except httpx.TransportError:
        return False


async def _stored(url: str) -> int:
    store = store_at(url)
    try:
        return sum(counts["stored"] for counts in (await store.accounting()).values())
    finally:
        await store.close()
