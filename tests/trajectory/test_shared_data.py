"""Every file of the data at hand is read completely, with the counts that its list states, and survives our schema."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agentdog.trajectory.formats import Case, files, native, sniff
from tests.trajectory.test_formats import DATA

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the data of ../shared is not here")
FILES = sorted(path.relative_to(DATA).as_posix() for path in DATA.glob("*/*.gz"))
#: The raw files are normalised sets in their own schema.
TWINS = {
    "raw/atbench_sample.json.gz": "normalized/atbench_sample.jsonl.gz",
    "raw/rjudge564.json.gz": "normalized/rjudge564.jsonl.gz",
    "raw/assebench_security.json.gz": "normalized/asse_security.jsonl.gz",
}


def stated() -> dict[str, tuple[int, ...]]:
    """Rows, unsafe, safe, unlabelled and with a step label, by file."""
    lines = (DATA / "COUNTS.md").read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| normalized/")
    ]
    return {row[0]: tuple(int(row[place]) for place in (1, 2, 3, 4, 6)) for row in cells}


def counted(cases: list[Case]) -> tuple[int, ...]:
    labels = Counter(case.label for case in cases)
    return len(cases), labels[1], labels[0], labels[None], sum(case.unsafe_step is not None for case in cases)


def test_the_list_names_every_normalised_file() -> None:
    assert set(stated()) == {name for name in FILES if name.startswith("normalized/")}


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_read_and_survives_our_schema(tmp_path: Path, name: str) -> None:
    cases = list(sniff.read(DATA / name))
    assert counted(cases) == stated()[TWINS.get(name, name)]
    assert len(files.read_values(DATA / name)[1]) == len(cases)
    assert len({case.trajectory.id for case in cases}) == len(cases), "an id is there twice"
    path = tmp_path / "cases.jsonl.gz"
    assert native.write(path, cases) == len(cases)
    assert sniff.sniff(path).name == "native"
    assert list(sniff.read(path)) == cases
