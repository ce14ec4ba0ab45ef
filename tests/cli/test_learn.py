"""``agentdog learn``, from what people said of a project's runs to a model that decides there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from agentdog.cli.learn import command
from agentdog.client import Client
from agentdog.guards.embedded import EmbeddedGuard
from tests.guards.learning_runs import cases
from tests.support.live_api import app_over, serving
from tests.support.stores import running_server, store_at

pytest.importorskip("sklearn", reason="extra `learn` is not installed")


@pytest.fixture(scope="module")
def reviewed() -> Iterator[str]:
    """An API over forty runs of one project that people reviewed."""
    runs = cases(40)

    async def put(url: str) -> None:
        store = store_at(url)
        for case in runs:
            await store.save_trajectory(case.trajectory, [], records=1)
        await store.close()

    with running_server() as server:
        asyncio.run(put(server.url))
        with serving(app_over(store_at(server.url), EmbeddedGuard())) as base:
            client = Client(base)
            for case in runs:
                if case.label:
                    client.review(case.trajectory.id, "mark", author="ann", step=3, project="sluices")
                else:
                    client.review(case.trajectory.id, "approve", author="ann", project="sluices")
            yield base


def test_reviews_become_a_model_that_decides(reviewed: str, tmp_path: Path) -> None:
    runner = CliRunner()
    told = ["--project", "sluices", "--url", reviewed, "--json"]
    learned = runner.invoke(command, [*told, "--activate", "-o", str(tmp_path / "m.json")])
    assert learned.exit_code == 0, learned.output
    answer = json.loads(learned.stdout)
    assert (answer["figures"]["runs"], answer["figures"]["unsafe"]) == (40, 20)
    assert answer["standing"]["state"] == "active"
    assert (tmp_path / "m.json").stat().st_size > 1000
    status = runner.invoke(command, ["status", *told])
    assert (status.exit_code, json.loads(status.stdout)["version"]) == (0, answer["version"])
    off = runner.invoke(command, ["off", "--project", "sluices", "--url", reviewed])
    assert (off.exit_code, "switched off by an operator" in off.stdout) == (0, True)
    again = runner.invoke(command, ["activate", answer["version"], "--project", "sluices", "--url", reviewed])
    assert (again.exit_code, "active" in again.stdout) == (0, True)


def test_from_a_file_and_what_is_too_few(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(case) + b"\n" for case in cases(8)))
    refused = CliRunner().invoke(command, ["--from", str(path)])
    assert refused.exit_code != 0
    assert "needed are 10 safe ones" in str(refused.exception)
    nothing = CliRunner().invoke(command, [])
    assert "--project NAME" in str(nothing.exception)
