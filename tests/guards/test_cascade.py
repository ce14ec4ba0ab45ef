"""Guards one behind the other: who is asked, who decides, who only names labels."""

from __future__ import annotations

from typing import Any

import pytest

from agentdog.base.errors import GuardUnavailable
from agentdog.guards import Labels, Outcome, factory
from tests.guards.steps import user, verdicts
from tests.support.ports import closed_port
from tests.support.scripted_guard import completion, scripted_guard

DIAGNOSIS = (
    "<Analysis>\nIt paid: Risk Source: none.\n</Analysis>\nFailure Mode: Flawed Planning or Reasoning\n"
    "Risk Consequence: Financial & Economic Harm\nRisk Source: Direct Prompt Injection\nmore"
)


def by_word(prefix: dict[str, Any]) -> dict[str, Any]:
    """Gives the probability that the last step's text names."""
    return {"p_unsafe": float(prefix["steps"][-1]["content"])}


GATE = f"python:{__name__}:by_word"


def second(prefix: dict[str, Any]) -> dict[str, Any]:
    return {"p_unsafe": 0.3, "detail": "second"}


def test_the_next_stage_is_asked_for_what_is_unsafe_or_above_the_bound() -> None:
    last = f"python:{__name__}:second"
    steps = [user(text) for text in ("0.01", "0.2", "0.7")]
    plain = verdicts(factory.build(f"cascade:{GATE}>{last}"), steps)
    assert [v.detail for v in plain] == [None, None, "second"]
    guard = factory.build(f"cascade:{GATE}@0.1>{last}")
    bounded = verdicts(guard, steps)
    assert [v.detail for v in bounded] == [None, "second", "second"]
    assert [v.outcome for v in bounded] == [Outcome.SAFE] * 3
    assert {v.guard for v in bounded} == {guard.info.fingerprint}
    assert guard.info.fingerprint != factory.build(f"cascade:{GATE}>{last}").info.fingerprint


@pytest.mark.parametrize("query", ["model=AgentDoG1.5-FG-Qwen3.5-4b", "pack=agentdog-1.0-diagnosis"])
def test_a_diagnoser_names_labels_and_leaves_the_verdict(query: str) -> None:
    text = DIAGNOSIS if "1.5" in query else DIAGNOSIS.replace("Risk Consequence", "Real World Harm")
    with scripted_guard(lambda p, b: (200, completion(text))) as server:
        found = verdicts(factory.build(f"cascade:{GATE}>server:{server.url}?{query}"), [user("0.1"), user("0.9")])
    assert len(server.chats()) == 1, "what is safe is not asked about"
    assert [(v.outcome, v.p_unsafe) for v in found] == [(Outcome.SAFE, 0.1), (Outcome.UNSAFE, 0.9)]
    assert found[1].labels == Labels(
        risk_source="direct_prompt_injection",
        failure_mode="flawed_planning_or_reasoning",
        real_world_harm="financial_and_economic_harm",
    )


def test_a_diagnoser_is_never_asked_about_what_nobody_called_unsafe() -> None:
    """It has labels for everything it is given, and would make of a doubt a finding."""
    text = DIAGNOSIS.replace("Risk Consequence", "Real World Harm")
    with scripted_guard(lambda p, b: (200, completion(text))) as server:
        last = f"server:{server.url}?pack=agentdog-1.0-diagnosis"
        steps = [user("0.3"), user("0.9")]
        found = verdicts(factory.build(f"cascade:{GATE}@0.2>{last}"), steps)
        [blind] = verdicts(factory.build(f"cascade:python:{__name__}:unable>{last}"), [user("x")])
    assert [v.outcome for v in found] == [Outcome.SAFE, Outcome.UNSAFE]
    assert (blind.outcome, blind.labels) == (Outcome.NOT_EVALUATED, None)
    assert len(server.chats()) == 1


def unable(prefix: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("cannot say")


def test_asking_for_axes_is_another_guard() -> None:
    uri = "server:http://127.0.0.1:9/v1?model=m&pack=generic"
    assert factory.build(uri).info.fingerprint != factory.build(f"{uri}&axes=true").info.fingerprint


def test_a_stage_that_fails_leaves_the_verdict_before_it() -> None:
    gone = f"server:http://127.0.0.1:{closed_port()}/v1?retries=0"
    [verdict] = verdicts(factory.build(f"cascade:{GATE}>{gone}"), [user("0.9")])
    assert (verdict.outcome, verdict.p_unsafe) == (Outcome.UNSAFE, 0.9)
    assert "next stage: guard_unreachable" in (verdict.detail or "")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("cascade:embedded", "write cascade"),
        ("cascade:embedded>", "write cascade"),
        ("cascade:server:http://h/v1?pack=agentdog-1.5-fg>embedded", "gives no verdict"),
        ("server:http://h/v1?pack=agentdog-1.0-diagnosis", "gives no verdict"),
    ],
)
def test_what_cannot_be_a_cascade_is_refused(uri: str, message: str) -> None:
    with pytest.raises(GuardUnavailable, match=message):
        factory.build(uri)
