"""Twelve things that people get wrong, each planted for real: `agentdog doctor` finds it and names the mend."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from agentdog.base.checks import CheckResult
from agentdog.service.doctor import examine
from agentdog.service.settings import Settings, to_environment
from agentdog.spans.records import Span
from agentdog.store.redis_store import RedisStore
from tests.support.ports import closed_port
from tests.support.records import batch, span
from tests.support.redis_servers import server
from tests.support.scripted_guard import completion, scripted_guard
from tests.support.serving import settings_for
from tests.support.stores import play


class Place(NamedTuple):
    """Where something is planted."""

    ports: list[int]
    folder: Path
    monkeypatch: pytest.MonkeyPatch


Plant = Callable[[Place], AbstractContextManager[Settings]]


@contextmanager
def healthy(at: Place, url: str | None = None, *spans: Span, **more: object) -> Iterator[Settings]:
    """A store of its own, with these spans in it."""

    async def put(store: RedisStore) -> None:
        await store.append("p", batch(*spans))

    with server(appendfsync="always") as own:
        if spans:
            play(url or own, put)
        yield settings_for(url or own, at.ports, data=at.folder / "data", **more)


@contextmanager
def wrong_port(at: Place) -> Iterator[Settings]:
    at.monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{at.ports[0]}")  # gRPC's, for HTTP
    with healthy(at) as settings:
        yield settings


@contextmanager
def no_content(at: Place) -> Iterator[Settings]:
    bare = span(0, 0, **{"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
    told = msgspec.structs.replace(bare, scope="opentelemetry.instrumentation.openai_v2")
    with healthy(at, None, told) as settings:
        yield settings


@contextmanager
def dead_guard(at: Place) -> Iterator[Settings]:
    with healthy(at, guard={"uri": f"server:http://127.0.0.1:{closed_port()}/v1?model=m"}) as settings:
        yield settings


@contextmanager
def wrong_pack(at: Place) -> Iterator[Settings]:
    uri = f"server:http://127.0.0.1:{closed_port()}/v1?model=AI45Research/AgentDoG-Qwen3-4B&pack=agentdog-1.5-coarse"
    with healthy(at, guard={"uri": uri}) as settings:
        yield settings


@contextmanager
def no_log(at: Place) -> Iterator[Settings]:
    with server(appendonly="no") as url, healthy(at, url) as settings:
        yield settings


@contextmanager
def evicting(at: Place) -> Iterator[Settings]:
    with server(maxmemory="100mb", maxmemory_policy="allkeys-lru") as url, healthy(at, url) as settings:
        yield settings


@contextmanager
def clock_ahead(at: Place) -> Iterator[Settings]:
    late = msgspec.structs.replace(span(0, 0), end_ns=time.time_ns() + 3600 * 10**9, resource={"host.name": "laptop"})
    with healthy(at, None, late) as settings:
        yield settings


@contextmanager
def full_disk(at: Place) -> Iterator[Settings]:
    (at.folder / "data").mkdir()
    with healthy(at) as settings:
        yield settings


@contextmanager
def open_bind(at: Place) -> Iterator[Settings]:
    with healthy(at, api={"host": "0.0.0.0", "port": at.ports[2]}) as settings:
        yield settings


@contextmanager
def old_server(at: Place) -> Iterator[Settings]:
    with (
        scripted_guard(lambda p, b: (200, completion("safe")), owner="vllm", knows=("top_logprobs",)) as old,
        healthy(at, guard={"uri": f"server:{old.url}?model=guard"}) as settings,
    ):
        yield settings


@contextmanager
def small_context(at: Place) -> Iterator[Settings]:
    with (
        scripted_guard(lambda p, b: (200, completion("safe")), owner="vllm", context=500) as small,
        healthy(at, guard={"uri": f"server:{small.url}?model=guard"}) as settings,
    ):
        yield settings


@contextmanager
def stuck_queue(at: Place) -> Iterator[Settings]:
    with healthy(at, None, span(0, 0), limits={"stall_s": 0.01}) as settings:
        time.sleep(0.05)  # nobody works on it for longer than is allowed
        yield settings


#: What is planted, the finding's name, and words of its mend.
PLANTED: Sequence[tuple[Plant, str, str]] = [
    (wrong_port, "exporter", "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:"),
    (
        no_content,
        "telemetry opentelemetry.instrumentation.openai_v2",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    ),
    (dead_guard, "guard m", "start"),
    (wrong_pack, "guard", "AGENTDOG_GUARD__URI"),
    (no_log, "durability", "CONFIG SET appendonly yes"),
    (evicting, "durability", "CONFIG SET maxmemory-policy noeviction"),
    (clock_ahead, "clocks", "synchronise the clocks"),
    (full_disk, "disk", "AGENTDOG_DATA"),
    (open_bind, "access", "AGENTDOG_AUTH__MODE=on"),
    (old_server, "guard structured outputs", "serve with structured outputs"),
    (small_context, "guard context", "context of more than"),
    (stuck_queue, "progress of weave", "is a worker running"),
]


@pytest.mark.parametrize(("plant", "name", "mend"), PLANTED, ids=[plant.__name__ for plant, *_ in PLANTED])
def test_doctor_finds_what_was_planted_and_names_the_mend(
    plant: Plant, name: str, mend: str, ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    with plant(Place(ports, tmp_path, monkeypatch)) as settings:
        found = on_a_full_disk(settings) if plant is full_disk else list(asyncio.run(examine(settings)))
    wrong = [each for each in found if each.status in ("warn", "fail")]
    assert any(each.name == name and mend in f"{each.detail} {each.mend}" for each in wrong), wrong


def test_nothing_is_found_where_nothing_was_planted(
    ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{ports[1]}")
    with healthy(Place(ports, tmp_path, monkeypatch)) as settings:
        found = asyncio.run(examine(settings))
    assert not [each for each in found if each.status in ("warn", "fail") and each.name not in ("memory", "disk")]


def on_a_full_disk(settings: Settings) -> list[CheckResult]:
    """The doctor in a process that sees its data folder on a disk of 1 MiB, which is full."""
    script = (
        'mount -t tmpfs -o size=1m none "$1" && { head -c 2m /dev/zero > "$1/fill" 2>/dev/null; shift; exec "$@"; }'
    )
    doctor = [sys.executable, "-m", "agentdog", "doctor", "--json"]
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(settings.data), *doctor]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **to_environment(settings)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("a full disk needs a small one, mounted by unshare (util-linux), which is not here")
    if not done.stdout:
        pytest.skip(f"no disk may be mounted here: {done.stderr}")
    assert done.returncode == 1
    return msgspec.convert(json.loads(done.stdout), list[CheckResult])
