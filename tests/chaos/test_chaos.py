"""The chaos commands in small, so that they keep working; `docs/performance.md` has their full sizes."""

from __future__ import annotations

import pytest

from tests.chaos import power
from tests.chaos.fuzz import fuzz
from tests.chaos.kill import run
from tests.support.tree import linux_only


def test_wrong_bodies_end_in_errors_of_ours(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert fuzz(1200, seed=20261126)["failures"] == []


def test_half_a_surrogate_pair_in_a_python_literal_can_be_stored() -> None:
    from agentdog.spans.content.loose import load

    assert load(r"['\ud800', '\ud83d\ude00', 1]") == ["\ufffd", "\U0001f600", 1]
    assert load("[1j]") == "[1j]"


@linux_only
@pytest.mark.slow
def test_kills_under_the_official_exporter_lose_and_double_nothing() -> None:
    found = run(4, fsync="always", seed=20261126)
    assert (found["lost"], found["doubled"], found["accounting_exact"]) == (0, 0, True)
    assert found["acknowledged_spans"] > 0


@pytest.mark.slow
def test_a_machine_that_goes_down_loses_nothing_that_was_acknowledged() -> None:
    if reason := power.why_not():
        pytest.skip(reason)  # a file system can only be mounted, and shut down, by root on Linux with loop devices
    found = power.run(1, fsync="always", seed=20261127)
    assert (found["lost_spans"], found["accounting_exact"]) == (0, True)
    assert found["acknowledged_spans"] > 0
