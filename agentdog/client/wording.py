"""The words that people read, in a terminal or on a page: verdicts, reasons, times, and untrusted text made visible.

Invariant: pure functions over the API's values. ``not_evaluated`` is worded as an open question, never as fine.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from agentdog.client.shapes import Taxonomy, TaxonomyLabel

VERDICT_WORDS = {
    "unsafe": "Unsafe",
    "safe": "Safe",
    "not_evaluated": "Not evaluated",
    "pending": "Pending",
}
#: Reason → what it means for the reader, and what mends it.
REASON_WORDS = {
    "too_long": "The run is longer than the guard can read. Use a guard with a larger context budget.",
    "timed_out": "The guard did not answer in time. Check its load, or raise the deadline.",
    "unparsable": "The guard answered something that is no verdict. Check that model and pack belong together.",
    "guard_unreachable": "The guard did not answer at all. The command agentdog doctor says what is wrong.",
    "guard_error": "The guard answered with an error. Its own log says why.",
    "guard_refused": "The guard declined to judge this text.",
    "over_budget": "The budget for judging was spent. Raise it, or judge fewer steps.",
    "superseded": "A newer version of the run came before this one was judged.",
    "not_sampled": "The project's sampling left this run out. Raise its share to judge more runs.",
    "no_content": "The telemetry carries no text. Switch on content capture in the agent's instrumentation.",
    "out_of_scope": "No request and no call: nothing that this guard could compare. Put another behind it.",
}
COMPLETION_WORDS = {
    "open": "running",
    "root": "ended (root span)",
    "final": "ended (final answer)",
    "idle": "ended (went quiet)",
}
ROLE_WORDS = {"user": "User", "agent": "Agent", "environment": "Tool result"}


def visible(text: str) -> str:
    """Makes invisible characters visible, so that no text can look like another.

    Control characters, format characters (bidi overrides, zero width) and lone surrogates, which no encoder takes,
    become their code points in brackets; tabs and line breaks stay.
    """
    if text.isprintable():
        return text
    return "".join(_visible(char) for char in text.replace("\r\n", "\n"))


def _visible(char: str) -> str:
    if char in "\n\t" or char.isprintable():
        return char
    return " " if unicodedata.category(char) == "Zs" else f"⟨U+{ord(char):04X}⟩"


def when(time: str) -> str:
    """Shortens an RFC 3339 time for people: ``21 Sep 14:17:20 UTC``."""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%d %b %H:%M:%S UTC")


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Returns the seconds from one RFC 3339 time to another, where both are known."""
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def duration(seconds: float | None) -> str:
    """Words a length of time: ``400 ms``, ``5.3 s``, ``2 min 5 s``; empty when unknown."""
    if seconds is None:
        return ""
    if 0 < seconds < 0.001:
        return "<1 ms"
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def percent(p: float | None) -> str:
    """Words a probability; never rounds a doubt away: 0.999 is ``>99 %``, not 100."""
    if p is None:
        return ""
    if 0.99 < p < 1:
        return ">99 %"
    if 0 < p < 0.01:
        return "<1 %"
    return f"{p * 100:.0f} %"


def plural(count: int, noun: str) -> str:
    """Counts a noun: ``1 step``, ``3 steps``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def label(taxonomy: Taxonomy, axis: str, label_id: str | None) -> TaxonomyLabel | None:
    """Finds a label; one that this taxonomy does not know keeps its id as its name."""
    if not label_id:
        return None
    for known in taxonomy["axes"]:
        for found in known["labels"] if known["id"] == axis else ():
            if found["id"] == label_id:
                return found
    return {"id": label_id, "name": label_id, "definition": "Not in the taxonomy that is in use."}


def label_name(taxonomy: Taxonomy, axis: str, label_id: str | None) -> str:
    """Returns a label's name, or nothing."""
    found = label(taxonomy, axis, label_id)
    return found["name"] if found else ""
