"""The manifests, as `kubectl kustomize` puts them together: against the schemas of Kubernetes, and against each other.

No cluster is needed, and none has been asked.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from agentdog.cli import COMMANDS
from agentdog.guards import factory
from agentdog.guards.checkpoints import checkpoints
from agentdog.service.auth import check_exposure
from agentdog.service.settings import load_settings, unknown_variables
from tests.deploy.compose import DEPLOY
from tests.deploy.kustomize import Object, build, containers, documents, pod

KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
VERSIONS = ("1.30.0", kubernetes_validate.latest_version())


def of_kind(objects: list[Object], *kinds: str) -> Iterator[Object]:
    return (each for each in objects if each["kind"] in kinds)


def selected(objects: list[Object], selector: Object) -> list[Object]:
    """What makes pods with these labels."""
    makers = [each for each in objects if pod(each)]
    return [each for each in makers if selector.items() <= each["spec"]["template"]["metadata"]["labels"].items()]


def ports(each: Object) -> set[int]:
    return {p["containerPort"] for container in containers(each) for p in container.get("ports", ())}


def ours(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    for each in objects:
        for container in containers(each):
            if "agentdog-" in container["image"]:
                yield each, container


@pytest.fixture(scope="module", params=OVERLAYS, ids=lambda path: path.name)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return build(request.param)


def test_every_file_belongs_to_a_kustomization() -> None:
    named = set()
    for path in KUBERNETES.rglob("kustomization.yaml"):
        (said,) = documents(path)
        named |= {(path.parent / name).resolve() for name in said["resources"]}
        named |= {(path.parent / patch["path"]).resolve() for patch in said.get("patches", ())}
    there = {path.resolve() for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert there == {path for path in named if path.is_file()}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_keeps_to_the_schema(objects: list[Object], version: str) -> None:
    for each in objects:
        kubernetes_validate.validate(each, version, strict=True)


def test_what_selects_selects_something_and_ports_are_there(objects: list[Object]) -> None:
    for each in of_kind(objects, "Service"):
        found = selected(objects, each["spec"]["selector"])
        assert found, each["metadata"]
        assert all({p["port"] for p in each["spec"]["ports"]} <= ports(maker) for maker in found)
    for each in of_kind(objects, "PodDisruptionBudget"):
        assert selected(objects, each["spec"]["selector"]["matchLabels"])
    for each in of_kind(objects, "HorizontalPodAutoscaler"):
        target = each["spec"]["scaleTargetRef"]
        (scaled,) = (o for o in of_kind(objects, target["kind"]) if o["metadata"]["name"] == target["name"])
        assert scaled["spec"]["replicas"] <= each["spec"]["minReplicas"]


def test_network_policies_open_ports_that_somebody_listens_on(objects: list[Object]) -> None:
    for each in of_kind(objects, "NetworkPolicy"):
        here = selected(objects, each["spec"]["podSelector"].get("matchLabels", {}))
        assert here, each["metadata"]
        for rule in each["spec"].get("ingress", ()):
            assert {p["port"] for p in rule["ports"]} <= {port for maker in here for port in ports(maker)}
        for rule in each["spec"].get("egress", ()):
            for peer in rule.get("to", ()):
                if "podSelector" in peer and not peer["podSelector"]["matchLabels"].get("app.kubernetes.io/component"):
                    assert selected(objects, peer["podSelector"]["matchLabels"])


def test_every_container_is_bounded_and_ours_are_confined(objects: list[Object]) -> None:
    for each in objects:
        for container in containers(each):
            wanted = container["resources"]
            assert {"cpu", "memory"} <= set(wanted["requests"]) and "memory" in wanted["limits"]
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert ":" in container["image"], f"{container['image']} without a tag"
    for each, container in ours(objects):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        made = pod(each) or {}
        assert made["securityContext"]["runAsNonRoot"] and made["automountServiceAccountToken"] is False
        assert {m["name"] for m in container["volumeMounts"]} <= {v["name"] for v in made["volumes"]}
        assert container["args"][0] in COMMANDS


def test_what_answers_is_probed_and_has_time_to_end(objects: list[Object]) -> None:
    for each, container in ours(objects):
        if container["args"][0] == "serve":
            assert {"startupProbe", "livenessProbe"} <= set(container)
            assert (pod(each) or {})["terminationGracePeriodSeconds"] >= 30


def test_the_settings_are_settings(objects: list[Object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(objects, "ConfigMap")}
    for name, text in (("redis-url", "redis://:p@redis:6379"), ("redaction-key", "k" * 32), ("admin-token", "t" * 32)):
        (tmp_path / name).write_text(text)
    for _, container in ours(objects):
        given: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            given |= maps[source["configMapRef"]["name"]]
        given |= {entry["name"]: entry["value"] for entry in container.get("env", ())}
        assert not unknown_variables(given)
        with monkeypatch.context() as inside:
            for variable, value in given.items():
                inside.setenv(variable, value.replace("/secrets", str(tmp_path)))
            settings = load_settings(data=tmp_path)
        check_exposure(settings, ("otlp_grpc", "otlp_http", "api", "ui"))
        factory.build(settings.guard.uri)


def test_vllm_gets_the_flags_of_the_list_of_checkpoints() -> None:
    known: dict[str, Any] = {each.id: each for each in checkpoints()}
    lines = [
        [*container["command"], *container["args"]]
        for each in build(KUBERNETES / "overlays" / "central-gpu")
        for container in containers(each)
        if container["name"] == "vllm"
    ]
    assert known[lines[0][2]].judges and len(lines) == 2
    for line in lines:
        assert line == shlex.split(known[line[2]].serve)
