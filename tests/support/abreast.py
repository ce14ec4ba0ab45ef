"""Which tests run one after the other where tests run side by side: those of a file, and those of a named group.

``--dist loadgroup`` of pytest-xdist 3.8 says the same by writing the group into the test's id, where pytest since 9.2
does not look any more: every test became a group of its own, and each process started a model server of its own.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_GROUP = re.compile(r"""xdist_group\(["'](\w+)["']\)""")


class ByFileOrGroup(LoadScopeScheduling):  # type: ignore[misc] # its package has no types
    """Hands out whole files; those in which a group is named, all files of that group together."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(Path(str(self.config.rootpath)) / nodeid.partition("::")[0])


@cache
def group_of(file: Path) -> str:
    """Returns the group that a file of tests names, else its path."""
    found = _GROUP.search(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found[1] if found else str(file)
