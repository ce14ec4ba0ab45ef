"""An alert in Slack's words: an incoming webhook's JSON, which Mattermost and Rocket.Chat take as well. Pure.

Invariant: everything of the run is ``plain_text``, and where there is only mrkdwn, ``&``, ``<`` and ``>`` are escaped
(Slack, "Escaping text"), so that no text of a run can mention people or hide where a link leads.
"""

from __future__ import annotations

from typing import Any

import msgspec

import taxonomy
from agentdog.outbound.alerts import Alert

_LONGEST = 2900  # of a text object; Slack's limit is 3000


def message(alert: Alert) -> bytes:
    """Returns the body of the request."""
    words = _cut(alert.summary)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(_heading(alert), 150)},
        {"type": "section", "text": _plain(words)},
    ]
    facts = _facts(alert)
    if facts:
        blocks.append({"type": "section", "fields": [_plain(each, 2000) for each in facts]})
    if alert.title:
        blocks.append({"type": "context", "elements": [_plain(f"Run: {alert.title}", 2000)]})
    if alert.quote:
        blocks.append({"type": "context", "elements": [_plain(f"Evidence: {alert.quote}", 2000)]})
    button = {"type": "button", "text": _plain(f"Open step {alert.step}", 75), "url": alert.url}
    blocks.append({"type": "actions", "elements": [button]})
    # What is shown in notifications, and by servers that know no blocks.
    text = f"{_escaped(_heading(alert))}: {_escaped(words)} <{_escaped(alert.url)}>"
    return msgspec.json.encode({"text": text, "blocks": blocks})


def _heading(alert: Alert) -> str:
    if alert.type == "test":
        return "agentdog: a test"
    return f"agentdog: unsafe at step {alert.step} ({alert.project})"


def _facts(alert: Alert) -> list[str]:
    names, facts = taxonomy.load("all"), []
    for axis, question in zip(taxonomy.AXES, ("Where", "How", "What"), strict=True):
        label = getattr(alert.labels, axis)
        if label:
            facts.append(f"{question}: {names.name(label) if label in names.ids(axis) else label}")
    if alert.p_unsafe is not None:
        facts.append(f"P(unsafe): {alert.p_unsafe:.2f} by {alert.guard}")
    return facts


def _plain(text: str, longest: int = _LONGEST) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, longest), "emoji": False}


def _cut(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
