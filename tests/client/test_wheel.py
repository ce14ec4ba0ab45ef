"""`agentdog-client` alone in an empty environment, and beside the sidecar in one."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from agentdog import __version__
from tests.client.answers import checks, said
from tests.support.client_wheel import CLIENT, ROOT, wheel_of

USE = """
import sys
from agentdog.client import AsyncClient, Client, Gate
from agentdog.client import shapes, wording
import agentdog.client.hooks.claude_code, agentdog.client.hooks.mcp_proxy
gate = Gate(deadline=20, on_not_evaluated="deny", url=sys.argv[1])
print(gate.ask("send", {}, messages=[])["decision"], *sorted(n for n in sys.modules if n.startswith("agentdog")))
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    return wheel_of(CLIENT, folder / "client"), wheel_of(ROOT, folder / "sidecar")


def test_the_client_has_the_sidecar_s_version_and_depends_on_nothing() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["version"], project["dependencies"]) == (__version__, [])


def environment(folder: Path) -> Path:
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


def pip(python: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


def output(python: Path, code: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(python), "-I", "-c", code, *arguments], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_alone_in_an_empty_environment_it_asks_and_is_answered(wheels: tuple[Path, Path], tmp_path: Path) -> None:
    python = environment(tmp_path / "alone")
    pip(python, "install", "--no-index", str(wheels[0]))  # no index: nothing else can come with it
    with checks(said("deny")) as (base, _):
        decision, *modules = output(python, USE, base).split()
    assert decision == "deny"
    assert {name for name in modules if not name.startswith("agentdog.client")} == {"agentdog"}
    for program in ("agentdog-claude-code", "agentdog-mcp-proxy"):
        done = subprocess.run([python.parent / program, "--help"], capture_output=True, text=True, check=False)
        assert (done.returncode, "--on-not-evaluated" in done.stdout) == (0, True), done.stderr
    names = zipfile.ZipFile(wheels[0]).namelist()
    assert "agentdog/client/py.typed" in names
    assert "agentdog/__init__.py" not in names


@pytest.mark.slow
def test_beside_the_sidecar_they_share_no_file_and_either_may_go(wheels: tuple[Path, Path], tmp_path: Path) -> None:
    client, sidecar = (set(zipfile.ZipFile(wheel).namelist()) for wheel in wheels)
    assert not client & sidecar
    where = "import agentdog, agentdog.client as c; print(agentdog.__version__, c.__file__)"
    python = environment(tmp_path / "both")
    pip(python, "install", "--no-index", "--no-deps", *map(str, wheels))
    both = output(python, where)
    pip(python, "uninstall", "--yes", "agentdog-client")
    assert output(python, where) == both  # the sidecar brings its own, and uses that
    assert re.search(r"_bundled.client.__init__\.py$", both)
    pip(python, "install", "--no-index", "--no-deps", str(wheels[0]))
    pip(python, "uninstall", "--yes", "agentdog-sidecar")
    assert output(python, "import agentdog.client as c; print(c.__file__)").endswith("agentdog/client/__init__.py")
