"""Sessions over a model are copied, and asked for verdict and labels apart, whoever serves the model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import taxonomy
from agentdog.guards import Labels, Verdict
from agentdog.guards.protocol import Analyses, Forks, LabelsApart
from agentdog.guards.server import ServerGuard
from tests.guards.steps import HEADER, user
from tests.support.ports import closed_port
from tests.support.scripted_guard import Reply, completion, scripted_guard


def test_a_session_over_a_model_can_do_all_that_judging_hopes_for() -> None:
    async def run() -> None:
        guard = ServerGuard.from_uri(f"server:http://127.0.0.1:{closed_port()}/v1?model=m&pack=generic", environ={})
        session = guard.open(HEADER)
        assert isinstance(session, Forks)
        assert isinstance(session, LabelsApart)
        assert isinstance(session, Analyses)
        await guard.close()

    asyncio.run(run())


def test_extending_a_copy_leaves_the_session_as_it_is() -> None:
    async def run() -> None:
        guard = ServerGuard.from_uri(f"server:http://127.0.0.1:{closed_port()}/v1?model=m&pack=generic", environ={})
        session = guard.open(HEADER)
        session.extend(user("one"))
        copy = session.fork()
        copy.extend(user("two"))
        assert len(session._pieces) == 2
        assert len(copy._pieces) == 3
        await guard.close()

    asyncio.run(run())


_LINES = "Failure Mode: Flawed Planning or Reasoning\nRisk Consequence: Financial & Economic Harm\nRisk Source: {}\n"
LINES = _LINES.format("Direct Prompt Injection")


@pytest.mark.parametrize(
    ("pack", "begun"),
    [
        ("agentdog-1.5-unified", "<think>\nIt paid.\n</think>\n\nSafety: unsafe\n"),
        ("agentdog-1.5-fg", "<Analysis>\nRisk Source: the mail.\n</Analysis>\n"),
    ],
)
def test_labels_behind_thoughts_have_probabilities_too(pack: str, begun: str) -> None:
    """Asked behind what the model itself wrote before its labels, not behind an answer without thoughts."""
    prompts: list[list[int]] = []

    def chat(path: str, body: dict[str, Any]) -> Reply:
        if path.endswith("/completions") and "prompt" in body:
            prompts.append(body["prompt"])
            listed = {f"token_id:{token}": -1.0 - at for at, token in enumerate(body["logprob_token_ids"])}
            return 200, {"choices": [{"logprobs": {"top_logprobs": [listed]}}]}
        return 200, completion(begun + LINES)

    async def run(url: str) -> Verdict:
        uri = f"server:{url}?model=guard&axes=true&pack={pack}"
        guard = ServerGuard.from_uri(uri, environ={}, diagnoses=True)
        session = guard.open(HEADER)
        session.extend(user("Pay the rent."))
        verdict = await session.verdict()
        await guard.close()
        return verdict

    with scripted_guard(chat, owner="vllm") as server:
        verdict = asyncio.run(run(server.url))
    assert verdict.labels == Labels(
        risk_source="direct_prompt_injection",
        failure_mode="flawed_planning_or_reasoning",
        real_world_harm="financial_and_economic_harm",
    )
    assert verdict.axes is not None, verdict
    for axis in taxonomy.AXES:
        assert sum(verdict.axes[axis].values()) == pytest.approx(1)
    before = [1000 + byte for byte in (begun + "Failure Mode:").encode()]
    first = min(prompts, key=len)
    assert any(first[at : at + len(before)] == before for at in range(len(first)))
