"""The key: given, or made once for its owner only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentdog.base.errors import OutsideError, UsageError
from agentdog.service.redaction import load_key, redactor_of
from agentdog.service.redaction.key import FILE
from agentdog.service.settings import load_settings


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_key(None, data), range(8)))
    assert len(keys) == 1
    assert (data / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in data.iterdir()] == [FILE]
    assert load_key(None, tmp_path / "other") not in keys


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    load_key(None, tmp_path)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(OutsideError, match="can be read by others"):
        load_key(None, tmp_path)
    (tmp_path / FILE).chmod(0o600)
    (tmp_path / FILE).write_text("")
    with pytest.raises(OutsideError, match="holds no key"):
        load_key(None, tmp_path)


def test_a_given_key_makes_no_file_and_must_be_long_enough(tmp_path: Path) -> None:
    assert load_key("x" * 16, tmp_path) == load_key("x" * 16, tmp_path / "elsewhere")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="AGENTDOG_REDACTION__KEY"):
        load_key("short", tmp_path)


def test_settings_say_what_is_taken_out(tmp_path: Path) -> None:
    nothing = load_settings(data=tmp_path, redaction={"secrets": False})
    assert redactor_of(nothing) is None
    assert not list(tmp_path.iterdir())
    wanted = {"secrets": False, "personal": ["email"], "patterns": {"case": "CASE-[0-9]+"}, "key": "k" * 16}
    redactor = redactor_of(load_settings(data=tmp_path, redaction=wanted))
    assert redactor is not None
    kept = redactor.text("CASE-7 of ann@example.com, AKIAIOSFODNN7EXAMPLE")
    assert kept.startswith("[secret:case:")
    assert "[personal:email:" in kept
    assert kept.endswith("AKIAIOSFODNN7EXAMPLE")
