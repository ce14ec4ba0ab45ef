"""What a verdict keeps of a guard's own words."""

from __future__ import annotations

import pytest

from agentdog.guards import Outcome, Reason, Verdict
from agentdog.guards.verdict import RAW_LIMIT, kept


def test_what_a_guard_wrote_is_kept_whole_up_to_a_limit_and_then_loses_its_middle() -> None:
    assert kept() is None
    assert kept("", None) is None
    assert kept("unsafe", "Risk Source: x") == "unsafe\nRisk Source: x"
    whole = "a" * RAW_LIMIT
    assert kept(whole) == whole
    text = kept("begin" + "a" * 3 * RAW_LIMIT + "Safety: safe") or ""
    assert len(text) < RAW_LIMIT + 100
    assert text.startswith("begin")
    assert text.endswith("Safety: safe")
    assert f"[{2 * RAW_LIMIT + 17} characters left out]" in text


def test_a_reason_belongs_to_what_was_not_evaluated() -> None:
    with pytest.raises(ValueError, match="reason"):
        Verdict(outcome=Outcome.SAFE, guard="g", reason=Reason.TIMED_OUT)
    with pytest.raises(ValueError, match="reason"):
        Verdict(outcome=Outcome.NOT_EVALUATED, guard="g")
