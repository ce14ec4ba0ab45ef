"""Guards of the user's own: a function, a program; whatever they answer is a verdict."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from agentdog.base.errors import GuardUnavailable
from agentdog.guards import Labels, Outcome, Reason, factory
from tests.guards.steps import HEADER, calls, user, verdicts


def strict(prefix: dict[str, Any]) -> dict[str, Any]:
    """Takes every payment for unsafe."""
    paid = any(call["name"] == "pay" for step in prefix["steps"] for call in step.get("tool_calls", ()))
    return {"p_unsafe": 0.9 if paid else 0.1, "labels": {"risk_source": "Direct Prompt Injection"}, "detail": "pay"}


async def later(prefix: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": "unsafe" if len(prefix["steps"]) > 1 else "safe"}


def broken(prefix: dict[str, Any]) -> Any:
    return {1: {"p_unsafe": 7}, 2: "no"}[len(prefix["steps"])]


def test_a_function_judges() -> None:
    first, second = verdicts(factory.build(f"python:{__name__}:strict"), [user("Hi"), calls("pay", eur=7)])
    assert (first.outcome, second.outcome, second.p_unsafe) == (Outcome.SAFE, Outcome.UNSAFE, 0.9)
    assert second.labels == Labels(risk_source="direct_prompt_injection")
    assert second.detail == "pay"
    found = verdicts(factory.build(f"python:{__name__}:later"), [user("Hi"), user("There")])
    assert [v.outcome for v in found] == [Outcome.SAFE, Outcome.UNSAFE]


def test_what_a_function_answers_wrongly_or_raises_is_told() -> None:
    found = verdicts(factory.build(f"python:{__name__}:broken"), [user("a"), user("b"), user("c")])
    assert [v.reason for v in found] == [Reason.UNPARSABLE, Reason.UNPARSABLE, Reason.GUARD_ERROR]
    assert "p_unsafe is 7" in (found[0].detail or "")
    assert [v.raw for v in found] == ['{"p_unsafe": 7}', '"no"', None]


@pytest.mark.parametrize("uri", ["python:nowhere_at_all:f", "python:json:nothing", "python:json", "cmd:"])
def test_what_is_not_there_is_refused(uri: str) -> None:
    with pytest.raises(GuardUnavailable, match="write"):
        factory.build(uri)


PROGRAM = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    text = asked["steps"][-1].get("content", "")
    if text == "die":
        sys.exit(3)
    answer = {"id": asked["id"] + (text == "late"), "p_unsafe": 0.8 if "pay" in text else 0.2}
    print("nonsense" if text == "babble" else json.dumps(answer), flush=True)
"""


def test_a_program_judges_line_by_line_and_is_started_again_when_it_ends(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(PROGRAM)
    uri = f"cmd:{sys.executable} {script}"
    steps = [user(text) for text in ("hello", "pay now", "babble", "die", "late", "hello")]

    async def run() -> list[Any]:
        guard = factory.build(uri)
        session, found = guard.open(HEADER), []
        for step in steps:
            session.extend(step)
            found.append(await session.verdict())
        assert (await guard.health()).ok
        await guard.close()
        return found

    found = asyncio.run(run())
    assert [v.reason or v.outcome for v in found] == [
        Outcome.SAFE,
        Outcome.UNSAFE,
        Reason.UNPARSABLE,
        Reason.GUARD_ERROR,
        Reason.UNPARSABLE,
        Outcome.SAFE,
    ]
    assert [v.raw for v in found[1:4]] == ['{"id": 2, "p_unsafe": 0.8}', "nonsense\n", None]
    before = factory.build(uri).info.fingerprint
    script.write_text(PROGRAM + "\n")
    assert factory.build(uri).info.fingerprint != before


def test_a_program_that_is_not_there_is_told() -> None:
    [verdict] = verdicts(factory.build("cmd:./no-such-program"), [user("x")])
    assert verdict.reason is Reason.GUARD_ERROR
    assert "no-such-program" in (verdict.detail or "")
