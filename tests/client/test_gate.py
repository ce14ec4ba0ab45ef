"""The gate: a call goes through only if the answer says so, and the answer always comes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentdog.client import Gate
from tests.client.answers import FAILURES, checks, failing, said


@pytest.mark.parametrize(
    ("decision", "on_review", "through"),
    [
        ("allow", "deny", True),
        ("deny", "allow", False),
        ("review", "deny", False),
        ("review", "allow", True),
    ],
)
def test_a_call_goes_through_only_if_the_answer_says_so(decision: str, on_review: Any, through: bool) -> None:
    with checks(said(decision)) as (base, asked):
        gate = Gate(deadline=20, on_not_evaluated="deny", on_review=on_review, url=base, project="p", agent="a")
        answer = gate.ask("send", {"to": "x"}, messages=[], call_id="c1")
        assert gate.lets_through(answer) is through
        assert asyncio.run(gate.ask_async("send", "{}", messages=[])) == answer
    assert (asked[0]["project"], asked[0]["agent"], asked[0]["action"]["id"]) == ("p", "a", "c1")
    assert gate.refusal("send", answer) == "The call to send was not made (rule r1): Because. Go on without it."


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("choice", ["allow", "deny", "review"])
def test_what_the_caller_named_holds_in_every_failure(how: str, choice: Any) -> None:
    with failing(how) as base:
        gate = Gate(deadline=0.4 if how == "hangs" else 20, on_not_evaluated=choice, url=base)
        for answer in (gate.ask("send", {}, messages=[]), asyncio.run(gate.ask_async("send", {}, messages=[]))):
            assert (answer["decision"], answer["by"]) == (choice, "on_not_evaluated")
            assert gate.lets_through(answer) is (choice == "allow")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"deadline": 0, "on_not_evaluated": "deny"}, "deadline"),
        ({"deadline": 1, "on_not_evaluated": "perhaps"}, "on_not_evaluated"),
        ({"deadline": 1, "on_not_evaluated": "deny", "on_review": "ask"}, "on_review"),
        ({"deadline": 1, "on_not_evaluated": "deny", "url": "nowhere"}, "base_url"),
    ],
)
def test_what_a_gate_cannot_do_is_refused_at_once(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Gate(**given)


def test_address_and_token_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    monkeypatch.setenv("AGENTDOG_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AGENTDOG_URL", "http://127.0.0.1:9")
    gate = Gate(deadline=1, on_not_evaluated="deny")
    assert gate.client.base_url == "http://127.0.0.1:9"
    assert gate.client._headers["Authorization"] == "Bearer secret"
