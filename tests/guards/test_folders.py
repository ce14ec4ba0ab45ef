"""``local:`` and ``vllm:`` where something is missing: the folder, a part of it, the extra, the interpreter."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentdog.base.errors import GuardUnavailable
from agentdog.cli import cli
from agentdog.guards import Reason, Verdict, factory
from tests.guards.runs import HEADER, run_of

PARTS = {"config.json": "{}", "model.safetensors": "no weights", "tokenizer.json": "{}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What looks like a model to whoever does not load it."""
    made = tmp_path / "AgentDoG-Qwen3-4B"
    made.mkdir()
    for name, text in PARTS.items():
        (made / name).write_text(text)
    return made


def here(folder: Path | str) -> str:
    """The URI of a guard whose engine would be started with this interpreter."""
    return f"vllm:{folder}?python={sys.executable}"


@pytest.mark.parametrize("part", PARTS)
def test_a_folder_that_lacks_a_part_is_refused_with_the_remedy(folder: Path, part: str) -> None:
    (folder / part).unlink()
    what = {"config.json": "config.json", "model.safetensors": "safetensors", "tokenizer.json": "tokenizer"}[part]
    with pytest.raises(GuardUnavailable, match=rf"{what}.*hf download"):
        factory.build(here(folder))


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GuardUnavailable, match=r"no model folder .*nowhere.*hf download"):
        factory.build(here(tmp_path / "nowhere"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(GuardUnavailable, match="no model folder"):
        factory.build(here(tmp_path / "file"))
    (tmp_path / "config.json").write_text("no JSON")
    with pytest.raises(GuardUnavailable, match=r"config\.json cannot be read"):
        factory.build(here(tmp_path))


@pytest.mark.parametrize("scheme", ["local", "vllm"])
def test_an_extra_that_is_not_installed_is_named_with_its_command(folder: Path, scheme: str) -> None:
    needed = {"local": "torch", "vllm": "vllm"}[scheme]
    if importlib.util.find_spec(needed) is not None:
        pytest.skip(f"{needed} is installed here")
    with pytest.raises(GuardUnavailable, match=rf"not installed here: pip install 'agentdog-sidecar\[{scheme}\]'"):
        factory.build(f"{scheme}:{folder}")
    result = CliRunner().invoke(cli, ["guards", "check", f"{scheme}:{folder}"])
    assert isinstance(result.exception, GuardUnavailable)


def test_an_interpreter_that_is_none_or_has_no_vllm_is_told(folder: Path) -> None:
    with pytest.raises(GuardUnavailable, match=r"no program .*none; give the interpreter"):
        factory.build(f"vllm:{folder}?python={folder / 'none'}")
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("vLLM is installed here")

    async def judged() -> Verdict:
        guard = factory.build(here(folder))
        session = guard.open(HEADER)
        session.extend(run_of(0)[0])
        verdict = await session.verdict()
        await guard.close()
        return verdict

    verdict = asyncio.run(judged())
    assert verdict.reason is Reason.GUARD_UNREACHABLE
    assert "No module named 'vllm'" in (verdict.detail or "")
