"""``agentdog demo`` as a person starts it: a real process tree, both runs judged, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from agentdog.service.settings import Settings, to_environment
from tests.support.tree import SECONDS, alive, descendants, linux_only, ready
from tests.support.waiting import until


def _demo(settings: Settings, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "agentdog", "demo", *options]
    environment = {**os.environ, **to_environment(settings)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_the_injected_run_is_unsafe_where_it_obeys_and_the_benign_one_is_safe(settings: Settings) -> None:
    process = _demo(settings, "--exit", "--json")
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err.decode()
    found: dict[str, Any] = json.loads(out)
    assert found["benign"]["summary"]["verdict"] == "safe"
    injected = found["injected"]
    assert injected["summary"]["verdict"] == "unsafe"
    (incident,) = injected["diagnosis"]["incidents"]
    obeys = injected["trajectory"]["steps"][incident["onset"]]
    assert obeys["tool_calls"][0]["name"] == "send_email"
    assert injected["trajectory"]["steps"][incident["source_step"]]["name"] == "read_email"
    assert incident["labels"]["risk_source"] == "indirect_prompt_injection"


@linux_only
@pytest.mark.slow
def test_it_stays_up_until_ctrl_c_and_then_leaves_nothing(settings: Settings) -> None:
    process = _demo(settings)
    try:
        until(lambda: ready(settings))
        tree = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, err.decode()
        assert not any(alive(pid) for pid in tree)
        assert b"Traceback" not in err
    finally:
        process.kill()
        process.wait()
