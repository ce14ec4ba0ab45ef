"""What mends a refused record, by the words of its reason; docs/rejections.md says more. Pure."""

from __future__ import annotations

_MENDS = (
    ("parent_span_id", "Leave it out for a root span."),
    ("trace_id", "Use an OpenTelemetry SDK's ids; in JSON write 32 and 16 hex digits."),
    ("span_id", "Use an OpenTelemetry SDK's ids; in JSON write 32 and 16 hex digits."),
    ("start_time_unix_nano", "Set it, in nanoseconds since the epoch."),
    ("time_unix_nano", "Set it, or observed_time_unix_nano."),
    ("not readable as protobuf", "Encode texts as UTF-8 before they become attributes."),
    ("not readable as OTLP JSON", "Correct the field that the message names."),
    ("resource attribute agentdog.project", "1 to 64 letters, digits, dots, underscores or hyphens."),
    ("the sender's token", "Leave agentdog.project out, or send with another token."),
)


def mend(reason: str) -> str:
    """Returns what mends it; where nothing is known, where to read on."""
    return next((words for start, words in _MENDS if reason.startswith(start)), "See docs/rejections.md.")
