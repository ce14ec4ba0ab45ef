"""Which tests run one after the other where tests run side by side."""

from __future__ import annotations

from pathlib import Path

from tests.support.abreast import group_of


def test_the_tests_of_a_file_stay_together() -> None:
    assert group_of(Path(__file__)) == __file__


def test_files_that_run_a_model_are_one_group() -> None:
    guards = Path(__file__).parent.parent / "guards"
    assert group_of(guards / "test_server_vllm.py") == group_of(guards / "test_local.py") == "models"
