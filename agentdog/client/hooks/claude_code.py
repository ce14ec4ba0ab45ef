"""Claude Code: a ``PreToolUse`` hook. Reads the event on standard input, answers on standard output.

What was said before is read from the transcript that the event names. A call that is fine is answered with nothing, so
that the user's own permissions decide as ever; a denial is ``deny``; what a person should decide is ``ask``.
(https://code.claude.com/docs/en/hooks: fields of the event, and of ``hookSpecificOutput``.)
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentdog.client.gate import Gate
from agentdog.client.hooks import options

#: Bytes of a transcript that are read from its end; the user's first words are kept besides.
_TAIL = 4_000_000


def main(arguments: list[str] | None = None) -> int:
    """Answers one event; exit code 0 always, but for wrong usage (2, which Claude Code takes as a denial)."""
    parser = argparse.ArgumentParser(prog="agentdog-claude-code", description=__doc__)
    options.add(parser)
    given = parser.parse_args(arguments)
    gate = options.gate(parser, given)
    try:
        event = json.load(sys.stdin)
        tool, inputs = str(event["tool_name"]), event.get("tool_input") or {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        parser.error(f"standard input is no PreToolUse event: {error!r}")
    print(json.dumps(answer(gate, event, tool, inputs)), flush=True)
    return 0


def answer(gate: Gate, event: dict[str, Any], tool: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Asks about the event's call and words the answer as Claude Code wants it; ``{}`` lets the call go its way."""
    messages = read(Path(event["transcript_path"])) if event.get("transcript_path") else None
    said = gate.ask(
        tool,
        inputs,
        call_id=event.get("tool_use_id"),
        messages=messages,
        trajectory_id=event.get("session_id"),
        agent=event.get("agent_type"),
    )
    if said["decision"] == "allow":
        return {}
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "ask" if said["decision"] == "review" else "deny",
            "permissionDecisionReason": gate.refusal(tool, said),
        }
    }


def read(transcript: Path) -> list[dict[str, Any]] | None:
    """Returns the conversation of a transcript as Anthropic messages; ``None`` where it cannot be read."""
    try:
        lines = list(_lines(transcript))
    except OSError:
        return None
    rows = [row for row in map(_row, lines) if row is not None]
    found = [m for row in rows if not row.get("isSidechain") and isinstance(m := row.get("message"), dict)]
    return [{"role": m["role"], "content": m.get("content")} for m in found if m.get("role") in ("user", "assistant")]


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file; of one that is too large the first that a user wrote, and those at its end."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if size > _TAIL:
            for raw in file:
                if file.tell() > _TAIL or b'"user"' in raw:
                    yield raw.decode("utf-8", "replace")
                    break
            file.seek(size - _TAIL)
            file.readline()  # the rest of a line
        for raw in file:
            yield raw.decode("utf-8", "replace")


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None  # the line that is being written
    return row if isinstance(row, dict) else None


if __name__ == "__main__":
    sys.exit(main())
