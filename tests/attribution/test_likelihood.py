"""The tree gives what reading every variant whole gives: models of random parameters, in float32."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import there

# Importing torch takes a quarter of a minute on a busy core.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
ROOT = Path(__file__).parents[2]
SAMPLES = ROOT.parent / "shared" / "attribution"
WORDS = ("order", "parcel", "invoice", "account.", "status,", "courier!", "window", "payment?", "label\n", "limit")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if there.interpreter() is None:
        pytest.skip(there.NO_TORCH)
    return there.models(tmp_path_factory.mktemp("wiring"), "qwen3", "gemma3")


def long_run(folder: Path, seed: int) -> Path:
    rng = random.Random(seed)
    roles = ["user", *(("agent", "environment")[at % 2] for at in range(16)), "agent"]
    told = [{"role": role, "content": " ".join(rng.choices(WORDS, k=rng.randrange(8, 60)))} for role in roles]
    told[-1]["content"] = told[4]["content"] + " " + told[9]["content"]
    file = folder / f"run-{seed}.json"
    file.write_text(json.dumps({"trajectory": told}), "utf-8")
    return file


def explained(model: Path, files: list[Path]) -> list[dict[str, Any]]:
    process = subprocess.run(
        [str(there.interpreter()), "-m", "tests.attribution.there", str(model), *map(str, files)],
        check=False,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=900,
    )
    assert process.returncode == 0, process.stderr.decode(errors="replace")[-3000:]
    found: list[dict[str, Any]] = json.loads(process.stdout)
    return found


def check(ours: dict[str, Any], naive: dict[str, Any]) -> None:
    """Every score within max(1e-3, 5e-6 of the log-likelihood), and the ranking alike but for gaps below that."""
    limit = max(1e-3, 5e-6 * max(map(abs, naive["totals"])))
    assert [step["log_likelihood"] for step in ours["steps"]] == pytest.approx(naive["totals"], abs=limit)
    gains = [step["score"] for step in ours["steps"]]
    assert gains == pytest.approx(naive["gains"], abs=limit)
    for first, second in zip(ours["ranking"], ours["ranking"][1:], strict=False):
        assert naive["gains"][first] >= naive["gains"][second] - limit
    assert naive["sentences"]
    for place, expected in naive["sentences"].items():
        got = [(s["drop"], s["hold"]) for s in ours["steps"][int(place)]["sentences"]]
        for (drop, hold), (naive_drop, naive_hold) in zip(got, expected, strict=True):
            assert drop == pytest.approx(naive_drop, abs=limit)
            assert hold == pytest.approx(naive_hold, abs=limit)


def test_a_tree_gives_the_references_numbers(models: Path, tmp_path: Path) -> None:
    samples = sorted(SAMPLES.glob("*.json"))
    if not samples:
        print("the paper's samples are not at hand; generated runs only")
    rows = explained(models / "qwen3", [*samples, *(long_run(tmp_path, seed) for seed in range(10))])
    for row in rows:
        assert row["trees"]
        check(row["ours"], row["naive"])
        assert 0 not in row["ours"]["ranking"], "the reference never ranks the first message"
        if row["naive_paper"]:
            check(row["paper"], row["naive_paper"])
        assert row["ours"]["cost"]["computed"] < row["ours"]["cost"]["plain"]
        shares = [step["attention"] for step in row["paper"]["steps"]]
        assert sum(shares) == pytest.approx(1.0)
        assert min(shares) >= 0
    saved = [row["ours"]["cost"]["plain"] / row["ours"]["cost"]["computed"] for row in rows[len(samples) :]]
    assert min(saved) > 2
    saved = [row["paper"]["cost"]["plain"] / row["paper"]["cost"]["computed"] for row in rows[len(samples) :]]
    assert min(saved) > 2


def test_a_model_that_cannot_read_a_tree_is_read_whole(models: Path, tmp_path: Path) -> None:
    [row] = explained(models / "gemma3", [long_run(tmp_path, 3)])
    assert not row["trees"]
    check(row["ours"], row["naive"])
    assert 0 not in row["ours"]["ranking"]
    check(row["paper"], row["naive_paper"])
    assert any("read whole" in note for note in row["ours"]["notes"])
