"""Why an agent acted, end to end: a run over OTLP, the API asked, a worker with a real model, the answer kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentdog.client import Client
from agentdog.client.shapes import AskedAttribution
from agentdog.demo.runs import run_all
from agentdog.service.settings import Settings, to_environment
from tests.support import there
from tests.support.serving import serving, settings_for
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
_LOADS_S = 300.0  # importing torch takes a minute on a busy core


@contextmanager
def worker(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as a person starts it, in the interpreter that has torch; killed by its pid whatever happens."""
    environment = {**os.environ, **to_environment(settings), "PYTHONPATH": there.path_of_both()}
    with log.open("wb") as out:
        command = [str(there.interpreter()), "-m", "agentdog", "worker"]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_worker_with_a_model_explains_an_action_once(server_url: str, ports: list[int], tmp_path: Path) -> None:
    if there.interpreter() is None:
        pytest.skip(there.NO_TORCH)
    model = there.models(tmp_path / "models", "qwen3") / "qwen3"
    settings = settings_for(server_url, ports, attribution={"model": str(model), "device": "cpu"})
    log = tmp_path / "worker.log"
    with serving(settings), worker(settings, log) as process:
        run = next(run for run in run_all(settings.otlp_endpoint) if run.name == "injected")
        client = Client(settings.api_url)

        def woven() -> str | None:
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            found = [t for t in client.trajectories()["items"] if t["verdict"] != "pending"]
            return client.trajectory(run.conversation_id)["trajectory"]["id"] if len(found) == 2 else None

        until(lambda: woven() is not None, "the runs are not judged", _LOADS_S)
        own = str(woven())
        asked = client.ask_attribution(own, target="action", attention=True)
        assert asked.get("state") is None, "asking never waits for a model"

        def answered() -> AskedAttribution | None:
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            [kept] = client.attributions(own)["items"]
            return kept if kept.get("state") else None

        until(lambda: answered() is not None, "no answer", _LOADS_S)
        found = answered()
        assert found is not None
        assert found.get("state") == "done", found.get("error")
        result = found["result"]
        assert (result["target"], result["model"]) == ("action", "qwen3")
        assert result["cost"]["computed"] < result["cost"]["plain"]
        assert sum(step["attention"] for step in result["steps"]) == pytest.approx(1.0)
        leading = result["steps"][result["ranking"][0]]
        assert leading["score"] == max(step["score"] for step in result["steps"])
        assert all({"drop", "hold", "score"} <= set(piece) for piece in leading["sentences"])
        process.kill()
        process.wait()
        assert client.ask_attribution(own, target="action", attention=True) == found, "kept: no worker is needed"
