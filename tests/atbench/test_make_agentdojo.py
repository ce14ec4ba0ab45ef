"""``atbench make agentdojo`` in the package's real environments."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentdog.trajectory.formats import sniff
from atbench.cli import cli
from atbench.make.write import CARD, CARD_JSON, DATA

pytestmark = [
    pytest.mark.slow,
    # The package's own imports warn about what it uses; that is not ours to mend.
    pytest.mark.filterwarnings("default"),
]
LIMIT = 120


def make(out: Path, *extra: str) -> None:
    pytest.importorskip("agentdojo", reason="needs the extra agentdojo")
    result = CliRunner().invoke(cli, ["make", "agentdojo", "--out", str(out), "--limit", str(LIMIT), *extra])
    assert result.exit_code == 0, result.output


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((out / DATA).read_bytes()).splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    make(out)
    return out


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(made: Path, tmp_path: Path) -> None:
    """In another process too, whose sets are in another order."""
    command = [sys.executable, "-c", "from atbench.cli import main; main()", "make", "agentdojo"]
    command += ["--out", str(tmp_path / "again"), "--limit", str(LIMIT)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    make(tmp_path / "other", "--seed", "1")
    assert (tmp_path / "again" / DATA).read_bytes() == (made / DATA).read_bytes()
    assert (tmp_path / "other" / DATA).read_bytes() != (made / DATA).read_bytes()


def test_every_row_is_read_and_its_onset_is_the_attackers_act(made: Path) -> None:
    cases = list(sniff.read(made / DATA))
    assert len(cases) == LIMIT == len({case.trajectory.id for case in cases})
    for case, row in zip(cases, rows(made), strict=True):
        assert case.trajectory.agents[""].tools
        assert len(case.trajectory.steps) == len(row["steps"])
        assert case.group.endswith(row["meta"]["group"])
        assert (case.label == 1) == (case.unsafe_step is not None) == (case.onset_from is not None)
        if case.unsafe_step is not None and case.onset_from is not None:
            assert row["meta"]["seen_step"] < case.onset_from <= case.unsafe_step
            assert case.trajectory.steps[case.unsafe_step].role == "agent"
    assert {case.label for case in cases} == {0, 1}


def test_what_the_instruction_says_stands_where_the_row_says(made: Path) -> None:
    """A run that obeys and one that refuses read the same result, and part ways only after it."""
    scenes: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows(made):
        meta = row["meta"]
        if meta["injection_task"]:
            key = f"{meta['group']}:{meta['injection_task']}:{meta['wording']}"
            scenes.setdefault(key, {})[meta["behaviour"]] = row
    matched = [s for s in scenes.values() if {"ignored", "obeyed_at_once"} <= s.keys()]
    assert matched
    for scene in matched:
        seen = scene["ignored"]["meta"]["seen_step"]
        ignored, obeyed = ([s["content"] for s in scene[b]["steps"][: seen + 1]] for b in ("ignored", "obeyed_at_once"))
        assert ignored == obeyed
        assert scene["obeyed_at_once"]["meta"]["attack_succeeded"] is True
        assert scene["ignored"]["meta"]["attack_succeeded"] is False


def test_the_card_counts_what_is_in_the_file(made: Path) -> None:
    card = json.loads((made / CARD_JSON).read_text(encoding="utf-8"))
    found = rows(made)
    assert card["rows"] == len(found) == sum(card["behaviours"].values())
    assert card["balance"] == {
        "safe": sum(row["label"] == 0 for row in found),
        "unsafe": sum(row["label"] == 1 for row in found),
    }
    assert card["sha256"] == hashlib.sha256((made / DATA).read_bytes()).hexdigest()
    assert card["sha256"] in (made / CARD).read_text(encoding="utf-8")
