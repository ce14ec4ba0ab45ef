"""Links of pages into the rest of the repository, for MkDocs: to the repository's address where one is set.

Without an address the link becomes its text and the path, since a site does not hold those files. A file that is not
there is an error, as any dead link.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)\s#]*)(#[^)\s]*)?\)")
_log = logging.getLogger("mkdocs.hooks.repository")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:  # noqa: ANN401 - MkDocs' own types
    """Rewrites links that leave the documentation."""
    folder = (Path(config["docs_dir"]) / page.file.src_uri).parent

    def rewritten(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / found[2]))
        if target.is_relative_to(config["docs_dir"]):
            return found[0]
        if not target.exists():
            _log.warning("%s: no such file: %s", page.file.src_uri, found[2])
        path = target.relative_to(_ROOT).as_posix()
        address = config["repo_url"]
        return f"[{found[1]}]({address}/blob/main/{path}{found[3] or ''})" if address else f"{found[1]} (`{path}`)"

    return _LINK.sub(rewritten, markdown)
