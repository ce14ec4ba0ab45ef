"""What is released: built as it is released, installed alone into an empty environment, run outside the checkout."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from agentdog import __version__
from agentdog.service.settings import Settings, to_environment
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow]


def run(*command: str, cwd: Path, **environment: str) -> str:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "AGENTDOG"))
    }
    done = subprocess.run(
        command, cwd=cwd, env={**clean, **environment}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist, as `make dist` does."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT), cwd=folder)
    (source,) = folder.glob("*.tar.gz")
    assert __version__ in source.name
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_says_that_it_is_typed_and_holds_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"agentdog/py.typed", "agentdog/_bundled/client/py.typed", "agentdog/guards/guards.yaml"} <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "deploy/"))]


def test_the_demo_runs_from_the_wheel_alone_and_the_dashboard_with_the_extra(
    wheel: Path, tmp_path: Path, settings: Settings
) -> None:
    venv.create(tmp_path / "env")
    bin_ = tmp_path / "env" / "bin"
    pip = (sys.executable, "-m", "pip", "--python", str(bin_ / "python"), "--quiet", "--disable-pip-version-check")
    install = (*pip, "install", "--no-deps", "--no-compile")
    run(*install, "--require-hashes", "-r", str(ROOT / "requirements" / "core.txt"), cwd=tmp_path)
    run(*install, str(wheel), cwd=tmp_path)
    outside = to_environment(settings)
    where = run(str(bin_ / "python"), "-c", "import agentdog; print(agentdog.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path))
    assert __version__ in run(str(bin_ / "agentdog"), "--version", cwd=tmp_path)
    run(str(bin_ / "atbench"), "--help", cwd=tmp_path)
    run(str(bin_ / "agentdog"), "demo", "--exit", cwd=tmp_path, **outside)

    run(*install, "--require-hashes", "-r", str(ROOT / "requirements" / "ui.txt"), cwd=tmp_path)
    command = [str(bin_ / "agentdog"), "ui"]
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **outside}, start_new_session=True)
    try:
        until(lambda: _opens(f"{settings.ui_url}/_stcore/health"), "the dashboard does not open")
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the command, and Streamlit below it
        process.wait()


def _opens(url: str) -> bool:
    try:
        return httpx.get(url).text == "ok"
    except httpx.TransportError:
        return False  # it does not listen yet


def test_the_bill_of_materials_names_every_pin(tmp_path: Path) -> None:
    bill = tmp_path / "sbom.cdx.json"
    pins = ROOT / "requirements" / "core.txt"
    tool = str(Path(sys.executable).parent / "cyclonedx-py")
    run(tool, "requirements", str(pins), "--pyproject", str(ROOT / "pyproject.toml"), "-o", str(bill), cwd=tmp_path)
    said = json.loads(bill.read_text("utf-8"))
    assert said["metadata"]["component"]["name"] == "agentdog-sidecar"
    named = {(each["name"], each["version"]) for each in said["components"]}
    pinned = {tuple(pin) for pin in re.findall(r"^([\w.-]+)==([\w.]+)", pins.read_text(), re.MULTILINE)}
    assert pinned <= named
