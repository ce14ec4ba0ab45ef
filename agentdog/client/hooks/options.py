"""The command-line options that the programs among the hooks share."""

from __future__ import annotations

import argparse

from agentdog.client.gate import Gate
from agentdog.client.inline import DECISIONS


def add(parser: argparse.ArgumentParser) -> None:
    """Adds what a gate wants; deadline and choice have no default, since both are the user's to name."""
    parser.add_argument("--deadline", type=float, required=True, metavar="SECONDS", help="one answer's time")
    parser.add_argument(
        "--on-not-evaluated", choices=DECISIONS, required=True, help="the decision when nobody could say in time"
    )
    parser.add_argument("--url", help="the sidecar's API; AGENTDOG_URL, else http://127.0.0.1:8080")
    parser.add_argument("--project", help="which rules apply")
    parser.add_argument("--agent", help="who calls")


def gate(parser: argparse.ArgumentParser, given: argparse.Namespace, **more: str) -> Gate:
    """Builds the gate; what it refuses is a usage error."""
    try:
        return Gate(
            deadline=given.deadline,
            on_not_evaluated=given.on_not_evaluated,
            url=given.url,
            project=given.project,
            agent=given.agent,
            **more,  # type: ignore[arg-type]
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
