"""Wheels built from this checkout, as a package index would serve them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "agentdog" / "client"


def wheel_of(project: Path, folder: Path) -> Path:
    """Builds a project's wheel into a folder; skips where the build backend cannot be had."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(folder), str(project)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode and ("No matching distribution found for hatchling" in done.stderr or "Retrying" in done.stderr):
        pytest.skip("the build backend cannot be had: no package index answers")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpacked_client(folder: Path) -> Path:
    """Returns a folder that holds what the client's wheel installs, and nothing else."""
    site = folder / "site"
    with zipfile.ZipFile(wheel_of(CLIENT, folder)) as wheel:
        wheel.extractall(site)
    return site
