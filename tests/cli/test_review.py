"""``agentdog review`` as people call it, against a served API over a store of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentdog.base.errors import AgentDogError, UsageError
from agentdog.cli import cli
from agentdog.client import Client
from agentdog.spans import reconstruct
from tests.support import runs
from tests.support.live_api import fill, serving_store
from tests.support.serving import serving, settings_for
from tests.support.stores import running_server, store_at


@pytest.fixture
def base() -> Iterator[str]:
    with running_server() as server:
        fill(server.url, *runs.everything())
        with serving_store(server.url) as url:
            yield url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["review", *arguments])


def test_steps_are_counted_from_1_and_labels_can_be_taken_away(base: str) -> None:
    said = ("say", "correct", "run-injected", "--step", "4", "--failure-mode", "", "--author", "ann", "--url", base)
    done = run(*said, "--json")
    assert done.exit_code == 0, done.output
    (incident,) = json.loads(done.output)["stored"]["diagnosis"]["incidents"]
    assert incident["onset"] == 3
    assert "failure_mode" not in incident["labels"]


def test_all_like_this_makes_a_rule_that_is_listed_and_can_be_ended(base: str) -> None:
    done = run("say", "dismiss", "run-injected", "--all-like-this", "--days", "2", "--note", "a drill", "--url", base)
    assert "run-injected is now safe" in done.output
    (rule,) = json.loads(run("rules", "--url", base, "--json").output)["suppressions"]
    assert rule["reason"] == "a drill"
    assert "in force" in run("rules", "--url", base).output
    assert "revoked" in run("rules", "--revoke", rule["id"], "--url", base).output
    assert "a drill" in run("history", "run-injected", "--url", base).output


def test_what_is_exported_can_be_taken_back(base: str, tmp_path: Path) -> None:
    run("say", "confirm", "run-injected", "--url", base)
    run("say", "approve", "run-benign", "--url", base)
    path = tmp_path / "said.jsonl"
    assert run("export", "--project", "mailroom", "-o", str(path), "--url", base).exit_code == 0
    with running_server() as empty, serving_store(empty.url) as other:
        counts = json.loads(run("import", str(path), "--url", other, "--json").output)
        assert counts == {"reviews": 2, "known": 0, "suppressions": 0}
    rows = run("export", "--project", "mailroom", "--format", "atbench", "--url", base).output.splitlines()
    assert {json.loads(row)["id"]: json.loads(row)["label"] for row in rows} == {"run-injected": 1, "run-benign": 0}


@pytest.mark.parametrize("line", ["{", "3", '{"id": "a row", "label": 1}'])
def test_a_file_of_something_else_is_refused_by_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"schema": "agentdog.reviews/1"}\n' + line + "\n")
    error = run("import", str(path)).exception
    assert isinstance(error, UsageError)
    assert "line 2" in str(error)
    path.write_text(line + "\n")
    assert isinstance(run("import", str(path)).exception, AgentDogError)


@pytest.mark.parametrize("format", ["native", "atbench"])
def test_labelled_rows_are_taken_in_as_runs_with_their_labels(
    base: str, ports: list[int], tmp_path: Path, format: str
) -> None:
    run("say", "confirm", "run-injected", "--url", base)
    run("say", "approve", "run-benign", "--url", base)
    path = tmp_path / "rows.jsonl"
    exported = ("export", "--project", "mailroom", "--format", format)
    assert run(*exported, "-o", str(path), "--url", base).exit_code == 0
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    with running_server() as empty, serving(settings_for(empty.url, ports)) as there:
        into = (
            "--url",
            there.api_url,
            "--otlp",
            there.otlp_endpoint,
            "--project",
            "other",
            "--author",
            "ann",
            "--json",
        )
        done = run("import", str(path), *into)
        assert done.exit_code == 0, done.output
        assert json.loads(done.output) == {"runs": 2, "reviews": 2, "known": 0, "unlabelled": 0}
        assert json.loads(run("import", str(path), *into).output)["known"] == 2
        asyncio.run(woven(empty.url))
        client = Client(there.api_url)
        verdicts = {row["id"]: row["verdict"] for row in client.trajectories(project="other")["items"]}
        again = [row["label"] for row in client.dataset("other", format=format)]
        steps = [row["unsafe_step"] for row in client.dataset("other", format=format) if row["label"]]
    assert sorted(verdicts.values()) == ["safe", "unsafe"]
    assert sorted(again) == sorted(row["label"] for row in rows) == [0, 1]
    assert steps == [row["unsafe_step"] for row in rows if row["label"]] == [5]


async def woven(url: str) -> None:
    """Does what a worker does with what has arrived."""
    store = store_at(url)
    try:
        for trajectory in reconstruct(list(await store.sample(1000)), project="other"):
            assert await store.save_trajectory(trajectory, [])
    finally:
        await store.close()
