"""Within v1, routes and parameters are added and never removed; see docs/versions.md."""

from __future__ import annotations

import json
from pathlib import Path

from tests.docs.test_site import generator

RELEASED = Path(__file__).parents[1] / "data" / "released" / "api-v1.json"


def test_every_route_and_parameter_that_was_released_is_still_there() -> None:
    paths = generator().schema()["paths"]
    for route, parameters in json.loads(RELEASED.read_text("utf-8")).items():
        method, path = route.split(" ")
        now = {each["name"] for each in paths[path][method.lower()].get("parameters", ())}
        assert set(parameters) <= now, route
