"""``agentdog export`` against a served API: each format read back by something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from agentdog.base.errors import UsageError
from agentdog.cli import cli
from agentdog.client import Client
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats import atif
from tests.support import runs


def export(api_url: str, *arguments: str) -> Result:
    done = CliRunner().invoke(cli, ["export", "--url", api_url, *arguments])
    assert done.exit_code == 0 or done.exception, done.output
    return done


def rows(api_url: str, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export(api_url, *arguments).stdout.splitlines()]


def test_json_lines_are_what_the_api_says_of_each_run(api_url: str, tmp_path: Path) -> None:
    found = rows(api_url)
    assert {row["summary"]["id"] for row in found} == {each.id for each in runs.everything()}
    client = Client(api_url)
    for row in found:
        assert row.pop("schema") == "agentdog.run/1"
        assert row == client.trajectory(row["summary"]["id"])
    path = tmp_path / "runs.jsonl"
    said = json.loads(export(api_url, "--out", str(path), "--json").stdout)
    assert said == {"runs": len(found), "format": "jsonl", "out": str(path)}
    assert len(path.read_text().splitlines()) == len(found)
    assert [p.name for p in tmp_path.iterdir()] == ["runs.jsonl"], "no half file is left"


def test_filters_are_those_of_the_list(api_url: str) -> None:
    for arguments, expected in (
        (("--verdict", "unsafe", "--project", "mailroom"), {"run-injected"}),
        (("--agent", "nobody"), set()),
        (("--risk-source", "indirect_prompt_injection", "--project", "mailroom"), {"run-injected"}),
        (("--since", "2999-01-01T00:00:00Z"), set()),
    ):
        assert {row["summary"]["id"] for row in rows(api_url, *arguments)} == expected
    wrong = CliRunner().invoke(cli, ["export", "--url", api_url, "--verdict", "bad"])
    assert "verdict" in str(wrong.exception)


def test_pages_follow_each_other(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(api_url)
    monkeypatch.setattr("agentdog.cli.export._PAGE", 2)
    assert rows(api_url) == whole


def test_parquet_is_a_table_of_fixed_columns(api_url: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    export(api_url, "--format", "parquet", "--out", str(path))
    found = {row["id"]: row for row in pq.read_table(path).to_pylist()}
    assert set(found) == {each.id for each in runs.everything()}
    row = found["run-injected"]
    assert (row["verdict"], row["failure_mode"]) == ("unsafe", "unconfirmed_or_over_privileged_action")
    assert row["onset_step"] == 6
    assert str(row["start_time"]).startswith("2026-09-2")
    assert json.loads(row["trajectory"])["id"] == "run-injected"
    empty = tmp_path / "none.parquet"
    export(api_url, "--format", "parquet", "--out", str(empty), "--agent", "nobody")
    assert pq.read_schema(empty) == pq.read_schema(path)
    with pytest.raises(UsageError, match="--out"):
        cli(["export", "--url", api_url, "--format", "parquet"], standalone_mode=False)


def comparable(run: Trajectory) -> list[Any]:
    """All that the format can hold: arguments that are no object and errors are text, an empty turn is not told."""
    return [
        (
            step.role,
            "\n".join(text for text in (step.text, step.error) if text),
            step.reasoning,
            [
                (call.name, {"raw": call.arguments_raw} if call.arguments_raw else call.arguments)
                for call in step.tool_calls
            ],
        )
        for step in run.steps
        if step.role != "agent" or step.text or step.tool_calls
    ]


def test_atif_is_read_back_as_the_same_run(api_url: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    export(api_url, "--format", "atif", "--out", str(path))
    back = {case.trajectory.id: case.trajectory for case in atif.read(path)}
    for each in runs.everything():
        assert comparable(back[each.id]) == comparable(each.trajectory), each.id
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert all([s["step_id"] for s in row["steps"]] == list(range(1, len(row["steps"]) + 1)) for row in written)
    assert next(r for r in written if r["trajectory_id"] == "run-injected")["extra"]["agentdog"]["verdict"] == "unsafe"


def test_sarif_has_a_result_per_incident_that_code_scanning_can_show(api_url: str) -> None:
    log = json.loads(export(api_url, "--format", "sarif").stdout)
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (run,) = log["runs"]
    driver, results = run["tool"]["driver"], run["results"]
    assert results
    for result in results:
        rule = driver["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["shortDescription"]["text"]
        assert result["level"] == "error"
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert not place["artifactLocation"]["uri"].startswith(("/", "file:"))
        assert place["region"]["startLine"] == result["properties"]["step"]
        assert result["partialFingerprints"]["agentdogIncident/v1"]
    injected = next(r for r in results if r["properties"]["trajectoryId"] == "run-injected")
    assert injected["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 3
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert any("run-unreachable" in note["message"]["text"] for note in notes), "what nobody judged is told"
    named = json.loads(export(api_url, "--format", "sarif", "--sarif-place", "agent/main.py").stdout)
    first = named["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert first["artifactLocation"]["uri"] == "agent/main.py"
