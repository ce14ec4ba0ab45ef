"""Rows of odd shapes: each is read, or refused by a message that names it; none is dropped."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentdog.base.errors import DecodeError
from agentdog.trajectory import prefix_keys
from agentdog.trajectory.formats import files, native, sniff
from agentdog.trajectory.render import AGENTDOG, render
from tests.trajectory.test_annotated_formats import CLAW, CODEX, WHO
from tests.trajectory.test_formats import ATBENCH, DATA, MESSAGES, NORMALIZED
from tests.trajectory.test_step_labelled_formats import STEPSHIELD, TRACESAFE, TS_BENCH

ROWS: dict[str, dict[str, Any]] = {
    "normalized": NORMALIZED,
    "atbench": ATBENCH,
    "chat": {"messages": MESSAGES},
    "atbench-claw": CLAW,
    "atbench-codex": CODEX,
    "who-when": WHO,
    "stepshield": STEPSHIELD,
    "tracesafe": TRACESAFE,
    "ts-bench": TS_BENCH,
}
TURN = {"role": "user", "content": "x"}
ODD: list[Any] = [None, 3, -1.5, True, "", "x", [], {}, [[]], [[1]], [None], {"a": 1}, "\ud800", 2**70, float("nan")]
ODD += [float("inf"), ["a"], TURN, [[[TURN]]], "x" * 100_000, {"role": {}}, "[{", json.dumps([TURN])]


def paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def changed(row: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    row = copy.deepcopy(row)
    for _ in range(chance.choice([1, 1, 2])):
        *above, last = chance.choice(list(paths(row)) or [("x",)])
        at: Any = row
        for key in above:
            at = at[key]
        if chance.random() < 0.3:
            at.pop(last, None) if isinstance(at, dict) else at.pop(last)
        else:
            at[last] = copy.deepcopy(chance.choice(ODD))
    return row


def check(path: Path, values: list[Any], place: str) -> None:
    write(path, values)
    try:
        cases = list(sniff.read(path))
    except DecodeError as error:
        assert place in str(error), "the message names the row"
        return
    assert len(cases) == len(values), "a row was dropped"
    for case in cases:
        prefix_keys(case.trajectory)
        render(case.trajectory, AGENTDOG)
    again = path.with_name("again.jsonl")
    assert native.write(again, cases) == len(cases)
    assert msgspec.json.encode(list(sniff.read(again))) == msgspec.json.encode(cases)


@pytest.mark.parametrize("name", ROWS)
def test_odd_rows_are_read_or_named(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    good, path = ROWS[name], tmp_path / "rows.json"
    assert sniff.sniff(write(path, [good])).name == name
    for _ in range(250):
        odd = changed(good, chance)
        check(path, [good, odd], "row 2")
        check(path, [odd, good], "row 1")


@pytest.mark.skipif(not DATA.is_dir(), reason="the data of ../shared is not here")
@pytest.mark.parametrize("name", ["atbench_sample", "rjudge564", "assebench_security"])
def test_real_rows_made_odd_are_read_or_named(tmp_path: Path, name: str) -> None:
    _, values = files.read_values(DATA / "raw" / f"{name}.json.gz")
    chance = random.Random(name)
    for _ in range(60):
        good, other = chance.sample(values, 2)
        check(tmp_path / "rows.json", [good, changed(other, chance)], "row 2")


def test_a_row_of_many_megabytes_is_read_whole(tmp_path: Path) -> None:
    turns: list[Any] = [
        {"role": "user", "content": "x" * 20_000_000},
        *[{"role": "agent", "action": "look({})"}] * 20_000,
    ]
    [case] = sniff.read(write(tmp_path / "rows.json", [{**ATBENCH, "contents": [turns]}]))
    assert len(case.trajectory.steps) == 20_001
    assert len(case.trajectory.steps[0].content or "") == 20_000_000


def test_what_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(DecodeError, match=r"nested too deep|not JSON"):
        sniff.sniff(path)


def test_a_damaged_first_row_is_named_by_its_field(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", [{"id": 1, "label": 0}, ATBENCH])
    with pytest.raises(DecodeError, match="row 1: no list of turns"):
        list(sniff.read(path))


def test_a_missing_value_of_a_data_frame_is_none(tmp_path: Path) -> None:
    row = {**NORMALIZED, "label": float("nan"), "unsafe_step": float("nan")}
    [case] = sniff.read(write(tmp_path / "rows.json", [row]))
    assert (case.label, case.unsafe_step) == (None, None)


@pytest.mark.parametrize("tools", [json.dumps(ATBENCH["tool_used"]), [json.dumps(ATBENCH["tool_used"][0])]])
def test_tools_kept_as_text_are_tools(tmp_path: Path, tools: object) -> None:
    [case] = sniff.read(write(tmp_path / "rows.json", [{**ATBENCH, "tool_used": tools}]))
    [tool] = case.trajectory.agents[""].tools
    assert (tool.name, tool.description) == ("pay", "Pays.")


def write(path: Path, values: list[Any]) -> Path:
    path.write_text(json.dumps(values), encoding="utf-8")
    return path
