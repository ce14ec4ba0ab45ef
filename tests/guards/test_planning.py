from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import Any

import pytest

from agentdog.base.errors import UsageError
from agentdog.guards.checkpoints import checkpoints
from agentdog.guards.planning import OVERHEAD_GIB, SHARE, Load, Option, gib, plan

QWEN3 = "AI45Research/AgentDoG-Qwen3-4B"


def option_of(gpu: float, form: str, agents: int = 1, **how: Any) -> Option:
    return next(o for o in plan(gpu, Load(agents=agents), **how) if (o.checkpoint, o.form) == (QWEN3, form))


def test_the_memory_of_a_card_is_weights_cache_and_the_rest() -> None:
    option = option_of(24, "bf16")
    assert option.weights_gib + option.cache_gib + OVERHEAD_GIB == pytest.approx(24 * SHARE, abs=0.2)
    assert option.cache_tokens == pytest.approx(
        option.cache_gib * 2**30 / 147456, rel=0.03
    )  # 2*36*8*128*2 bytes a token
    assert option.context == 16384


@pytest.mark.parametrize(
    ("gpu", "form", "fits"), [(8, "bf16", False), (8, "fp8", True), (8, "4-bit", True), (16, "bf16", True)]
)
def test_small_cards_want_small_forms(gpu: float, form: str, fits: bool) -> None:
    assert option_of(gpu, form).fits is fits


def test_a_cache_of_fp8_holds_twice_as_much_and_a_diagnoser_takes_its_share() -> None:
    assert option_of(24, "bf16", cache="fp8").cache_tokens == pytest.approx(
        2 * option_of(24, "bf16").cache_tokens, rel=0.01
    )
    both = option_of(24, "bf16", diagnoser=True)
    assert both.diagnoser == "AI45Research/AgentDoG-FG-Qwen3-4B"
    assert len(both.serve) == 2 and both.cache_tokens < option_of(24, "bf16").cache_tokens


def test_runs_that_do_not_stay_in_the_cache_are_read_again_at_every_step() -> None:
    few, many = option_of(24, "bf16", agents=5), option_of(24, "bf16", agents=100)
    assert few.kept == 1.0 and many.kept < 0.5
    assert few.read_per_s == 5 / 5 * 200
    assert many.read_per_s > 100 / 5 * 2000


def test_what_fits_comes_first_and_is_served_as_published() -> None:
    published = {each.id: each for each in checkpoints()}
    options = plan(24, Load(agents=10))
    assert [o.fits for o in options] == sorted((o.fits for o in options), reverse=True)
    for option in options:
        if option.fits and option.form == "bf16" and option.context == published[option.checkpoint].context:
            assert option.serve[0].startswith(published[option.checkpoint].serve)
        if option.fits:
            assert shlex.split(option.serve[0])[:2] == ["vllm", "serve"]


@pytest.mark.parametrize("text", ["8GB", "8 GiB", "8", "8g"])
def test_sizes_are_read_as_people_write_them(text: str) -> None:
    assert gib(text) == 8


@pytest.mark.parametrize("text", ["", "big", "0GB", "-8GB", "8TB"])
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="--gpu"):
        gib(text)


def test_the_command_prints_what_it_rests_on() -> None:
    command = [sys.executable, "-m", "agentdog", "plan", "--gpu", "8GB", "--agents", "50"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert done.returncode == 0
    assert said["fits"] and any("50 agents" in sentence for sentence in said["assumptions"])
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "This rests on" in plain.stdout and "GiB of weights" in plain.stdout
    none = subprocess.run([*command[:-3], "0.5GB"], capture_output=True, text=True, check=False)
    assert none.returncode == 1 and "embedded guard" in none.stdout
