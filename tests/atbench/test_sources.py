"""Published files are known by their bytes; what is not confirmed carries a warning to the report."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from agentdog.base.errors import DecodeError, NotFoundError, UsageError
from agentdog.guards import GuardInfo
from agentdog.guards.checkpoints import checkpoints
from agentdog.guards.packs import find as find_pack
from atbench import sources
from atbench.data import load
from atbench.ledger import Asking, DataInfo, RunInfo
from atbench.published import Anchor, anchors, find, published
from atbench.sources import REVISIONS, known


def test_bytes_are_known_and_unconfirmed_hashes_warn() -> None:
    for revision in REVISIONS:
        found = known("any name.json", revision.sha256.ljust(64, "0"))
        assert found.name == revision.name
        assert found.warning == f"the hash of {revision.name} is not confirmed by its authors"
    assert known("ATBench.json", "f" * 64).name is None, "a name is no proof"


def run_over(known_as: str | None, name: str = "test.json", **asking: str) -> RunInfo:
    data = DataInfo(name=name, sha256="", format="atbench", rows=1000, known=known_as)
    guard = GuardInfo(name="g", uri="g", fingerprint="g")
    return RunInfo(data=data, guard=guard, asking=Asking(**asking))


def test_published_rows_stand_beside_a_run_with_what_sets_them_apart() -> None:
    row = find("ATBench/AgentDoG-1.5-Qwen3.5-4B")
    assert row.condition is not None
    same = {anchor.id: anchor for anchor in anchors(run_over("ATBench", words=row.condition.words[0]))}
    assert {anchor.set for anchor in same.values()} == {"ATBench"}, "the set of 500 rows is another one"
    assert {anchor.part for anchor in same.values()} == {"scores"}, "labels are of another mode"
    assert [text.partition(" ")[0] for text in same[row.id].apart] == ["renderer", "decoding"], same[row.id].apart
    assert "wording, renderer and decoding (not published)" in same["ATBench/GPT-5.4"].apart
    other = {anchor.id: anchor for anchor in anchors(run_over("ATBench", words="0"))}
    assert "wording (prompts/v1.5/coarse_grained_moderation.txt)" in other[row.id].apart
    assert anchors(run_over(None)) == [], "test.json is the name of no published set"
    named = anchors(run_over(None, name="atbench500_copy.json"))
    assert {anchor.set for anchor in named} == {"ATBench500"}
    assert all({"revision of the data", "rows (500)"} <= set(anchor.apart) for anchor in named)


def test_a_row_is_found_by_its_name_and_what_is_like_it_is_named() -> None:
    assert find("atbench500/agentdog-qwen3-4b").source == "arXiv 2601.18491 Table 4"
    assert find("ATBench/AgentDoG-1.0-Qwen3-4B/labels").part == "labels"
    with pytest.raises(UsageError, match=r"several papers: R-Judge/GPT-5.2@2601.18491, R-Judge/GPT-5.2@2605.29801"):
        find("R-Judge/GPT-5.2")
    with pytest.raises(NotFoundError, match="like it are ATBench500/AgentDoG-FG-Qwen3-4B/labels"):
        find("AgentDoG-FG-Qwen3-4B")


def test_a_table_that_does_not_fit_is_named(tmp_path: Path) -> None:
    table = tmp_path / "mine.yaml"
    table.write_text("sets: {Mine: {rows: ten, place: here}}\ntables: []\n", encoding="utf-8")
    with pytest.raises(DecodeError, match=r"mine.yaml: Expected `int`, got `str` - at `\$.sets\[...\].rows`"):
        published(table)
    with pytest.raises(NotFoundError, match="no such table"):
        published(tmp_path / "other.yaml")


@pytest.mark.parametrize("anchor", published(), ids=lambda anchor: anchor.id)
def test_every_published_row_names_its_source_and_holds_shares(anchor: Anchor) -> None:
    assert all(0 < value <= 1 for value in anchor.scores.values())
    assert anchor.source.startswith("arXiv ")
    assert len({row.id for row in published()}) == len(published())


def test_every_condition_names_a_pack_and_weights_that_are_known() -> None:
    known = {served.id: served.pack for served in checkpoints()}
    for anchor in published():
        if anchor.condition is not None and anchor.part == "scores":
            assert known[anchor.weights or ""] == anchor.condition.pack
        elif anchor.condition is not None:
            assert find_pack(anchor.condition.pack, labels_only=True).family == "labels_only"


def test_packed_rows_are_known_as_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.dumps([{"id": 1, "contents": [[{"role": "user", "content": "Hi."}]], "label": 0}]).encode()
    revision = REVISIONS[0]._replace(sha256=hashlib.sha256(rows).hexdigest())
    monkeypatch.setattr(sources, "REVISIONS", (revision,))
    for name, raw in (("a.json", rows), ("a.json.gz", gzip.compress(rows))):
        (tmp_path / name).write_bytes(raw)
        data, _ = load(str(tmp_path / name))
        assert (data.known, data.warning) == ("ATBench", "the hash of ATBench is not confirmed by its authors")
