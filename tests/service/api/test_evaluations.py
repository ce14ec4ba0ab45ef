"""Run folders as `atbench run --out` leaves them, told over the API: which there are, their scores, their rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from fastapi import FastAPI

from agentdog.base.errors import NotFoundError
from agentdog.client import ApiError, Client, NotFound
from agentdog.service.api import evaluations
from tests.support.live_api import serving
from tests.support.run_folder import make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    app = FastAPI()
    app.include_router(evaluations.build(folder), prefix="/api/v1")
    with serving(app) as base:
        yield Client(base)


def test_folders_are_listed_with_what_is_wrong_with_one(client: Client) -> None:
    found = client.evaluations()
    assert found["configured"]
    by_name = {each["name"]: each for each in found["items"]}
    assert set(by_name) == {"first", "second", "broken"}
    assert by_name["first"]["rows"] == 4
    assert (by_name["first"]["guard"], by_name["first"]["mode"]) == ("embedded", "every-step")
    assert "cannot be read" in by_name["broken"]["problem"]


def test_a_report_is_atbench_s_own_and_a_row_is_as_it_was_kept(client: Client) -> None:
    report = client.evaluation("first")
    assert report["schema"] == "atbench.report/1"
    assert report["labelled"] == 4
    assert sum(report["confusion"].values()) == 4
    assert set(report["metrics"]["f1"]) == {"value", "low", "high"}
    wanted = report["rows"][0]["id"]
    row = client.evaluation_row("first", wanted)
    assert (row["id"], bool(row["verdicts"])) == (wanted, True)
    with pytest.raises(NotFound, match="no row"):
        client.evaluation_row("first", "of tomorrow")


def test_a_row_is_found_by_any_id_and_not_before_its_line_is_whole(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(msgspec.json.encode({"id": 'a "b" \\c'}) + b'\n{"id":"torn')
    assert evaluations._row(tmp_path, 'a "b" \\c') == {"id": 'a "b" \\c'}
    with (tmp_path / "rows.jsonl").open("ab") as file:
        file.write(b'","n":')
    with pytest.raises(NotFoundError, match="no row"):
        evaluations._row(tmp_path, "torn")


def test_a_run_that_cannot_be_read_says_why_and_not_where(client: Client, folder: Path) -> None:
    with pytest.raises(ApiError, match="no report of broken") as refused:
        client.evaluation("broken")
    assert str(folder) not in str(refused.value)


@pytest.mark.parametrize("name", ["..", "first/..", "../runs0", "outside", "%2e%2e", "/etc", ""])
def test_only_listed_folders_are_read(folder: Path, name: str) -> None:
    with pytest.raises(NotFoundError):
        evaluations._place(folder, name)


def test_without_a_folder_there_is_nothing_and_it_is_said() -> None:
    app = FastAPI()
    app.include_router(evaluations.build(None), prefix="/api/v1")
    with serving(app) as base:
        assert Client(base).evaluations() == {"configured": False, "items": []}
