"""``agentdog case`` and ``agentdog judge CASE``: a kept run fails until what was wrong with it is mended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentdog.base.errors import NotFoundError, UsageError
from agentdog.cli import cli
from agentdog.client import Client


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments])


def kept(folder: Path, run_id: str, url: str, *options: str) -> Path:
    done = run("case", "save", run_id, "--folder", str(folder), "--url", url, "--json", *options)
    assert done.exit_code == 0, done.output
    return Path(json.loads(done.output)["path"])


def test_a_bad_run_fails_until_a_rule_stops_it(api_url: str, tmp_path: Path) -> None:
    case, policy = kept(tmp_path, "run-injected", api_url), tmp_path / "policy.yaml"
    before = run("judge", str(case), "--json")
    assert before.exit_code == 1, before.output
    (tried,) = json.loads(before.output)
    assert (tried["state"], tried["step"]) == ("failed", 5)
    assert run("fix", "run-injected", "--apply", "--policy", str(policy), "--url", api_url).exit_code == 0
    after = run("judge", str(case), "--policy", str(policy))
    assert after.exit_code == 0, after.output
    assert "the rule send-to-untrusted-email stops it at step 6" in after.output


def test_a_run_that_is_fine_fails_when_a_rule_denies_a_call_of_it(api_url: str, tmp_path: Path) -> None:
    case, policy = kept(tmp_path, "run-benign", api_url), tmp_path / "policy.yaml"
    assert run("judge", str(case)).exit_code == 0
    policy.write_text("rules: [{id: no-notes, decision: deny, reason: No notes., tool: '*'}]")
    done = run("judge", str(case), "--policy", str(policy))
    assert done.exit_code == 1
    assert "no-notes denies step" in done.output


def test_what_people_said_counts_more_than_the_diagnosis(api_url: str, tmp_path: Path) -> None:
    client = Client(api_url)
    client.review("run-injected", "dismiss", author="ann", note="a drill")
    try:
        case = kept(tmp_path, "run-injected", api_url, "--name", "drill")
        done = run("judge", str(case))
        assert done.exit_code == 1
        assert "the run is fine, and embedded calls it unsafe" in done.output
    finally:
        client.review("run-injected", "reopen", author="ann")


def test_a_folder_of_cases_is_judged_and_a_case_is_replaced_only_when_told(api_url: str, tmp_path: Path) -> None:
    kept(tmp_path, "run-injected", api_url, "--name", "mail")
    kept(tmp_path, "run-benign", api_url, "--note", "stays fine")
    assert "stays fine" in run("case", "list", "--folder", str(tmp_path)).output
    assert [tried["state"] for tried in json.loads(run("judge", str(tmp_path), "--json").output)] == [
        "failed",
        "passed",
    ]
    again = run("case", "save", "run-benign", "--name", "mail", "--folder", str(tmp_path), "--url", api_url)
    assert isinstance(again.exception, UsageError)
    kept(tmp_path, "run-benign", api_url, "--name", "mail", "--replace")
    assert run("judge", str(tmp_path)).exit_code == 0


def test_a_case_is_found_by_its_name(api_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTDOG_DATA", str(tmp_path))
    assert run("case", "save", "run-injected", "--name", "mail", "--url", api_url).exit_code == 0
    assert run("judge", "mail").exit_code == 1
    assert isinstance(run("judge", "no-such-case").exception, NotFoundError)


@pytest.mark.parametrize("name", ["../up", "a/b", "sp ace"])
def test_a_name_is_a_name_and_no_path(api_url: str, tmp_path: Path, name: str) -> None:
    done = run("case", "save", "run-benign", "--name", name, "--folder", str(tmp_path), "--url", api_url)
    assert isinstance(done.exception, UsageError)
    assert list(tmp_path.iterdir()) == []
