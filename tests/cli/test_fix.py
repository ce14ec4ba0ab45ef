"""``agentdog fix`` as people call it: what to change, and the rule put in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentdog.base.errors import UsageError
from agentdog.cli import cli
from agentdog.policy import load


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments])


def test_it_shows_the_step_the_rule_its_cost_and_the_hook(api_url: str) -> None:
    done = run("fix", "run-injected", "--url", api_url)
    assert done.exit_code == 1, done.output
    assert "before step 6 would have stopped the call to send_email" in done.output
    assert "  - id: send-to-untrusted-email\n    decision: deny\n" in done.output
    assert "0 that turned out good" in done.output
    assert "gate.ask(" in done.output


def test_show_ends_in_what_to_change(api_url: str) -> None:
    shown = run("show", "run-injected", "--url", api_url).output
    assert shown.index("What to change") > shown.index("Judged by")
    assert "What to change" not in run("show", "run-benign", "--url", api_url).output


def test_the_rule_is_put_into_the_policy_file_once(api_url: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    done = run("fix", "run-injected", "--apply", "--policy", str(path), "--url", api_url, "--json")
    assert done.exit_code == 0, done.output
    assert str(path) in json.loads(done.output)["applied"][0]
    assert [rule.id for rule in load(path).rules] == ["send-to-untrusted-email"]
    again = run("fix", "run-injected", "--apply", "--policy", str(path), "--url", api_url)
    assert isinstance(again.exception, UsageError)


def test_a_run_that_is_fine_needs_nothing(api_url: str) -> None:
    done = run("fix", "run-benign", "--url", api_url)
    assert (done.exit_code, "nothing to change" in done.output) == (0, True)


@pytest.mark.parametrize("incident", ["none", ""])
def test_an_incident_that_is_none_is_refused_with_those_that_are(api_url: str, incident: str) -> None:
    error = run("fix", "run-injected", "--incident", incident, "--url", api_url).exception
    assert isinstance(error, UsageError)
    assert "there is" in str(error)
