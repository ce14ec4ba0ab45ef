"""The documentation: what is made has not drifted, and no link is dead."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOOLS = Path(sys.executable).parent
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
#: Pages outside of the site, whose links MkDocs does not see.
OUTSIDE = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "deploy").rglob("*.md"))]


def generator() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_that_are_made_are_as_their_sources_say() -> None:
    drifted = [name for name, text in generator().pages().items() if (DOCS / name).read_text("utf-8") != text]
    assert not drifted, f"run `make docs`: {drifted}"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(TOOLS / "mkdocs"), "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "llms.txt").is_file()


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", OUTSIDE, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_beside_the_site_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def test_python_of_the_frameworks_pages_is_python() -> None:
    blocks = [b for path in DOCS.rglob("*.md") for b in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)]
    for block in blocks:
        if not block.startswith("def read(") and not block.startswith(" "):
            compile(block, "page", "exec")


def test_commands_in_the_pages_are_commands() -> None:
    from agentdog.cli import COMMANDS

    for path in [*DOCS.rglob("*.md"), *OUTSIDE]:
        for line in re.findall(r"^\$ agentdog (.+)$", path.read_text("utf-8"), re.MULTILINE):
            assert shlex.split(line.split("#")[0])[0] in COMMANDS, f"{path.name}: agentdog {line}"
