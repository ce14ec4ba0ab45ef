"""A model behind a real vLLM server gives the numbers that it gives in this process."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import pytest

from agentdog.attribution.messages import messages_of
from agentdog.attribution.result import Attribution, Mode
from agentdog.attribution.run import Explainer
from agentdog.trajectory.formats import sniff
from tests.attribution.test_likelihood import explained, long_run
from tests.support import vllm_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
_LIMIT = 1e-3  # nats, of sums over dozens of tokens


def test_a_served_model_gives_the_numbers_of_the_model_in_process(
    vllm_model: Path, vllm_running: vllm_server.Running, tmp_path: Path
) -> None:
    file = long_run(tmp_path, 1)
    [row] = explained(vllm_model, [file])
    messages = messages_of(next(iter(sniff.read(file))).trajectory)
    modes: tuple[tuple[Mode, str], ...] = (("compatible", "ours"), ("paper", "paper"))
    worst = 0.0
    for mode, name in modes:
        with contextlib.closing(Explainer(f"server:{vllm_running.url}?model=guard")) as served:
            found = served.explain(messages, len(messages) - 1, mode=mode, top_k=1)
        expected = msgspec.convert(row[name], Attribution)
        assert any("reads every variant whole" in note for note in found.notes)
        assert found.cost.plain == expected.cost.plain, "the same tokens"
        assert [step.tokens for step in found.steps] == [step.tokens for step in expected.steps]
        assert found.ranking[0] == expected.ranking[0]
        pairs = list(zip(scores(found), scores(expected), strict=True))
        assert len(pairs) > len(messages)
        worst = max(worst, *(abs(one - other) for one, other in pairs))
    print(f"largest difference from the model in process: {worst:.2g} nats")
    assert worst <= _LIMIT


def scores(found: Attribution) -> list[float]:
    """Every log-likelihood, drop and hold."""
    totals = [step.log_likelihood for step in found.steps]
    pieces = [each for step in found.steps for s in step.sentences or () for each in (s.drop, s.hold)]
    return [each for each in (*totals, *pieces) if each is not None]
