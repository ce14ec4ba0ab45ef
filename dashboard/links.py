"""Links from a run to the same trace in other tools, by the operator's URL templates.

Invariant: a template is the operator's; only ids that are hexadecimal go into it, so no content can lead anywhere.
"""

from __future__ import annotations

import json
import os
import re
from urllib.parse import urlsplit

from agentdog.client.shapes import View

VARIABLE = "AGENTDOG_TRACE_LINKS"
_TRACE = re.compile(r"([0-9a-f]{32}):([0-9a-f]{16})")


def templates() -> dict[str, str]:
    """Reads ``AGENTDOG_TRACE_LINKS``: a JSON object of name → URL with ``{trace_id}`` and perhaps ``{span_id}``."""
    try:
        read = json.loads(os.environ.get(VARIABLE) or "{}")
    except ValueError:
        return {}
    pairs = read.items() if isinstance(read, dict) else ()
    return {str(name): url for name, url in pairs if isinstance(url, str) and urlsplit(url).scheme in {"http", "https"}}


def of(view: View) -> list[tuple[str, str]]:
    """Returns (name, URL) for the first trace of a run, or of the step that is in focus."""
    steps = view["steps"]
    focus = view.get("focus")
    ordered = sorted(steps, key=lambda step: step["index"] != focus)
    found = next((m for step in ordered for s in step["sources"] if (m := _TRACE.fullmatch(s))), None)
    if found is None:
        return []
    filled = (
        (name, url.replace("{trace_id}", found[1]).replace("{span_id}", found[2])) for name, url in templates().items()
    )
    return list(filled)
