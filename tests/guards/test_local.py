"""The guard whose model runs in this process: models of random parameters, by transformers; wiring, never accuracy."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import taxonomy
from agentdog.guards import Outcome, Reason, Verdict
from agentdog.trajectory import Step
from tests.guards.runs import HEADER, run_of
from tests.support import there

# Importing torch takes a quarter of a minute on a busy core.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
FG = "pack=agentdog-1.0-fg&threshold=0.000001&dtype=float32&axes=1"


def long_run(steps: int) -> list[Step]:
    rng = random.Random(steps)
    return [
        Step(id=f"s{i}", index=i, role="user", content=f"{i} " * rng.randrange(10, 60), sources=("t:0",))
        for i in range(steps)
    ]


def apart(one: Verdict, other: Verdict) -> float:
    """The largest difference between any two probabilities of two verdicts."""
    assert one.p_unsafe is not None
    assert other.p_unsafe is not None
    assert one.axes is not None
    assert other.axes is not None
    found = [abs(one.p_unsafe - other.p_unsafe)]
    for axis, shares in one.axes.items():
        found += [abs(share - other.axes[axis][label]) for label, share in shares.items()]
    return max(found)


@pytest.mark.parametrize("kind", ["qwen3", "qwen3_5", "gemma3"])
def test_prefixes_read_on_are_answered_as_prefixes_read_anew(wiring: Path, kind: str) -> None:
    uri, run = f"local:{wiring / kind}?{FG}", long_run(5)
    [grown] = there.verdicts(uri, "prefixes", HEADER, [run])
    [anew] = there.verdicts(uri, "anew", HEADER, [run])
    assert max(apart(a, b) for a, b in zip(grown, anew, strict=True)) < 1e-4
    assert [v.labels for v in grown] == [v.labels for v in anew]
    # What a cache that cannot be cut back keeps is known one prefix later.
    late = 1 if kind == "qwen3" else 2
    for before, after in zip(grown[late - 1 :], grown[late:], strict=False):
        assert (after.cached_tokens or 0) >= (before.cached_tokens or 0)
    read = [(v.prompt_tokens or 0) - (v.cached_tokens or 0) for v in grown[late:]]
    assert max(read) < 0.4 * (grown[-1].prompt_tokens or 0), "most of a prefix is read once"


def test_labels_are_always_in_the_taxonomy_and_what_was_written_is_kept(wiring: Path) -> None:
    uri = f"local:{wiring / 'qwen3'}?threshold=0.000001&dtype=float32"
    for found in there.verdicts(uri, "whole", HEADER, [run_of(seed) for seed in range(20)]):
        [verdict] = found
        assert verdict.outcome is Outcome.UNSAFE
        assert verdict.labels is not None, verdict
        for axis in taxonomy.AXES:
            assert getattr(verdict.labels, axis) in taxonomy.load().ids(axis)
        assert '{"risk_source":"' in (verdict.raw or "")


def test_the_budget_is_exact_and_the_rest_is_cut_or_too_long(wiring: Path) -> None:
    uri = f"local:{wiring / 'qwen3'}?pack=agentdog-1.0-binary&context=2048&dtype=float32"
    huge = Step(id="h", index=0, role="user", content="完了" * 2048, sources=("t:0",))
    [cut], [too_long] = there.verdicts(uri, "whole", HEADER, [long_run(60), [huge]])
    assert "were left out" in (cut.detail or "")
    assert (cut.prompt_tokens or 0) <= 2048
    assert (too_long.outcome, too_long.reason) == (Outcome.NOT_EVALUATED, Reason.TOO_LONG)


def test_whoever_leaves_is_not_worked_for(wiring: Path) -> None:
    """A model that writes a thousand tokens is left after a moment; the next answer does not wait for them."""
    uri = f"local:{wiring / 'qwen3'}?pack=agentdog-1.5-coarse&dtype=float32"
    [[first, next_one, again]] = there.verdicts(uri, "left", HEADER, [run_of(3)])
    for verdict in (first, next_one, again):
        assert verdict.reason is Reason.UNPARSABLE, verdict
        assert "<Judgment>" in (verdict.detail or "")
        assert verdict.raw


def test_what_a_local_model_can_do_is_found_out_by_asking(wiring: Path) -> None:
    found = {result.name: result for result in there.check(f"local:{wiring / 'qwen3'}?dtype=float32")}
    assert {r.status for r in found.values()} == {"ok"}, found
    assert found["log-probabilities"].detail == "exact, by logprob_token_ids"
    assert "trie" in found["structured outputs"].detail
    assert "tokens/s read" in found["speed"].detail
    assert "written" in found["speed"].detail


def test_a_model_that_cannot_be_loaded_is_told(wiring: Path, tmp_path: Path) -> None:
    for file in (wiring / "qwen3").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    [[verdict]] = there.verdicts(f"local:{tmp_path}?dtype=float32", "whole", HEADER, [run_of(0)])
    assert verdict.reason is Reason.GUARD_ERROR
    assert "cannot be loaded" in (verdict.detail or "")
