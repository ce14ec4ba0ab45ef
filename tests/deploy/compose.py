"""Compose files as `docker compose` reads them, as far as ours go: merge keys, ``${NAME:-default}``, an env file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_VARIABLE = re.compile(r"\$\{([A-Z_a-z0-9]+)(?::-([^}]*))?\}")


def env_file(path: Path) -> dict[str, str]:
    """Reads ``NAME=value`` lines."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def services(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Returns the services with variables filled in; one without a value or a default is an error."""

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _VARIABLE.sub(lambda m: environment.get(m[1]) or _default(m), value)
        if isinstance(value, list):
            return [fill(each) for each in value]
        return {key: fill(each) for key, each in value.items()} if isinstance(value, dict) else value

    read = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    filled: dict[str, dict[str, Any]] = fill(read["services"])
    return filled


def _default(found: re.Match[str]) -> str:
    assert found[2] is not None, f"{found[0]} has no default: Compose would warn and leave it empty"
    return found[2]
