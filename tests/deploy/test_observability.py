"""Rules and board: checked by promtool, and asked of a real Prometheus that scrapes a real sidecar under load."""

from __future__ import annotations

import itertools
import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from agentdog.client import Client
from agentdog.demo.runs import run_all
from agentdog.service.settings import Settings
from agentdog.spans.otlp_encode import encode_traces
from tests.deploy.compose import DEPLOY, services
from tests.guards.steps import says, user
from tests.support.ports import free_ports
from tests.support.told import run_of
from tests.support.tree import ready, up
from tests.support.waiting import PATIENCE_S, until

FOLDER = DEPLOY / "observability"
BOARD: dict[str, Any] = json.loads((FOLDER / "grafana" / "agentdog.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]

prometheus_here = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="no Prometheus here: apt-get install prometheus",
)


@prometheus_here
@pytest.mark.parametrize(
    "command",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")],
)
def test_promtool_has_nothing_to_say(command: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_to_do() -> None:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text("utf-8"))["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    tests = (FOLDER / "rules_test.yml").read_text("utf-8")
    for alert in alerts:
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description"} <= set(alert["annotations"])
        assert alert["alert"] in tests


def test_panels_lie_beside_each_other_and_ask_the_provisioned_source() -> None:
    sources = yaml.safe_load((FOLDER / "grafana" / "datasources.yaml").read_text("utf-8"))["datasources"]
    known = {(source["type"], source["uid"]) for source in sources}
    cells: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        here = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & here and at["x"] + at["w"] <= 24, panel["title"]
        cells |= here
    assert {(p["datasource"]["type"], p["datasource"]["uid"]) for p in PANELS} <= known
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@contextmanager
def scraping(settings: Settings, folder: Path) -> Iterator[httpx.Client]:
    """A Prometheus with our rules that scrapes this sidecar every second."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(FOLDER / "rules.yml")]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [settings.api_url.removeprefix("http://")]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    listen = f"127.0.0.1:{port}"
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={folder / 'db'}",
            f"--web.listen-address={listen}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://{listen}") as client:
            yield client
    finally:
        process.kill()
        process.wait()


def ask(prometheus: httpx.Client, query: str) -> list[float]:
    """The values that are numbers."""
    try:
        said = prometheus.get("/api/v1/query", params={"query": query}).json()
    except httpx.TransportError:
        return []
    assert said["status"] == "success", said
    values = [float(each["value"][1]) for each in said["data"]["result"]]
    return [value for value in values if not math.isnan(value)]


@pytest.mark.slow
@prometheus_here
def test_every_panel_shows_something_of_a_sidecar_under_load(settings: Settings, tmp_path: Path) -> None:
    with up(settings):
        until(lambda: ready(settings))
        client = Client(settings.api_url, timeout=PATIENCE_S)
        with scraping(settings, tmp_path) as prometheus:
            run_all(settings.otlp_endpoint)
            numbers = itertools.count()

            def told(query: str) -> list[float]:
                """What Prometheus says while there is traffic: a rate needs some between two scrapes."""
                send(settings, next(numbers))
                client.check("send_email", {"to": "a@example.org"}, deadline=60, on_not_evaluated="deny", messages=[])
                return ask(prometheus, query)

            for panel in PANELS:
                until(lambda: any(told(each["expr"]) for each in panel["targets"]), panel["title"])  # noqa: B023
            until(lambda: told('up{job="agentdog"}') == [1.0], "the sidecar is scraped")
            until(lambda: told("agentdog:verdicts:missing_share1h") == [0.0], "every step has its verdict")
            assert not ask(prometheus, 'ALERTS{alertname="AgentDogUnaccounted"}')


def send(settings: Settings, number: int) -> None:
    """A run with words of its own: equal ones are never judged twice."""
    steps = [user(f"question {number}"), says(f"answer {number}")]
    httpx.post(
        f"{settings.otlp_endpoint}/v1/traces",
        content=encode_traces(run_of(*steps, name=f"{number + 1:032x}")),
        headers={"content-type": "application/x-protobuf"},
    ).raise_for_status()


def test_the_observability_profile_mounts_files_that_are_there() -> None:
    for name in ("collector", "prometheus", "grafana"):
        for volume in services({})[name]["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists(), volume
