"""``kill -9`` of receiver, worker and store under load: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from agentdog.service.settings import Settings
from tests.service.test_receiver import PROTOBUF, request
from tests.support.tree import descendants, linux_only, ready, up
from tests.support.waiting import until

KILLS = 8
SEED = 20261123
MESSAGES = '[{"role": "user", "parts": [{"type": "text", "content": "%s"}]}]'


def trace_body(trace: int) -> bytes:
    message = request(*(bytes([n] * 8) for n in (1, 2, 3)), trace=trace.to_bytes(16, "big"))
    for span in message.resource_spans[0].scope_spans[0].spans:
        span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
        span.attributes.add(key="gen_ai.input.messages").value.string_value = MESSAGES % f"Question {trace}"
    return bytes(message.SerializeToString())


@contextmanager
def load(settings: Settings) -> Iterator[list[int]]:
    """Sends one trace after the other until the block ends; the list holds those that were acknowledged."""
    acknowledged: list[int] = []
    over = threading.Event()

    def send() -> None:
        trace = 1
        with httpx.Client(timeout=5) as client:
            while not over.is_set():
                try:
                    answer = client.post(
                        f"{settings.otlp_endpoint}/v1/traces",
                        content=trace_body(trace),
                        headers={"content-type": PROTOBUF},
                    )
                except httpx.TransportError:
                    over.wait(0.05)
                    continue
                assert answer.status_code in (200, 503)
                if answer.status_code == 200:
                    acknowledged.append(trace)
                    trace += 1
                over.wait(0.01)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield acknowledged
    finally:
        over.set()
        sender.join()


def killable(supervisor: int) -> list[int]:
    found = []
    for pid in descendants(supervisor):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"valkey-server" in words[0] or {b"serve", b"worker"} & set(words):
            found.append(pid)
    return found


def accounting(settings: Settings) -> dict[str, int]:
    counts: dict[str, int] = httpx.get(f"{settings.api_url}/api/v1/accounting").json()["projects"]["default"]
    return counts


def settled(settings: Settings) -> bool:
    text = httpx.get(f"{settings.api_url}/metrics").text
    return "agentdog_queue_units 0.0" in text


@linux_only
@pytest.mark.slow
def test_kill_9_at_random_moments_loses_nothing_acknowledged(settings: Settings) -> None:
    chance = random.Random(SEED)
    tuned = settings.model_copy(update={"worker": settings.worker.model_copy(update={"lease_s": 2.0})})
    with up(tuned) as process:
        until(lambda: ready(tuned))
        with load(tuned) as acknowledged:
            for _ in range(KILLS):
                before = len(acknowledged)
                until(lambda before=before: len(acknowledged) > before + 20)  # type: ignore[misc]
                time.sleep(chance.random() / 10)
                os.kill(chance.choice(killable(process.pid)), signal.SIGKILL)
        until(lambda: ready(tuned))
        until(lambda: settled(tuned))
        counts = accounting(tuned)
        assert counts["received"] == counts["stored"] + counts["duplicate"] + counts["rejected"]
        assert counts["pending"] == 0
        for trace in acknowledged:
            answer = httpx.get(f"{tuned.api_url}/api/v1/trajectories/{trace:032x}")
            assert answer.status_code == 200, f"trace {trace} was acknowledged and is gone"
            steps = answer.json()["trajectory"]["steps"]
            assert [step["content"] for step in steps if step["role"] == "user"] == [f"Question {trace}"]
        letters = httpx.get(f"{tuned.api_url}/metrics").text
        assert "agentdog_dead_letters 0.0" in letters
