"""Wheels built from this checkout, as a package index would serve them."""

from __future__ import annotations

import shutil
import subprocess
import sys
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


def client_files(folder: Path) -> Path:
    """Returns a folder that holds the client's files where its wheel would put them, and nothing else."""
    site = folder / "site"
    shutil.copytree(
        CLIENT, site / "agentdog" / "client", ignore=shutil.ignore_patterns("__pycache__", "*.toml", "*.md")
    )
    return site
