"""Log lines for machines, and work that a signal ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys

import pytest

from agentdog.service.process import configure_logging, until_told_to_stop
from agentdog.service.settings import load_settings


def test_json_lines_hold_everything_in_one_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(load_settings(log_format="json"), "worker")
    try:
        raise ValueError('a "quoted"\nreason')
    except ValueError:
        logging.getLogger("agentdog.test").exception("it failed")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["level"], said["process"], said["message"]) == ("error", "worker", "it failed")
    assert 'a "quoted"\nreason' in said["traceback"]


def test_a_signal_cancels_the_work_and_lets_it_clean_up() -> None:
    cleaned: list[str] = []

    async def work() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("yes")
        return "never"

    assert asyncio.run(until_told_to_stop(work())) is None
    assert cleaned == ["yes"]


def test_a_worker_stands_back_and_takes_nobody_of_its_session_along() -> None:
    code = "import os; from agentdog.service.process import step_back; step_back(5); print(os.nice(0))"
    for alone in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True, start_new_session=alone
        )
        assert int(done.stdout) == min(os.nice(0) + 5, 19)


def test_work_that_ends_gives_its_result_and_its_error() -> None:
    async def fine() -> int:
        return 7

    async def wrong() -> int:
        raise LookupError("no")

    assert asyncio.run(until_told_to_stop(fine())) == 7
    with pytest.raises(LookupError, match="no"):
        asyncio.run(until_told_to_stop(wrong()))
