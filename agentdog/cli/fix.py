"""``agentdog fix ID``: what to change so that an incident does not happen again, and put it in force."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from agentdog import policy
from agentdog.base.errors import UsageError
from agentdog.cli.changing import print_remedy
from agentdog.cli.common import FINDING, FINE, emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.client.shapes import Remedies, Remedy
from agentdog.service.settings import load_settings


@click.command("fix")
@click.argument("any_id", metavar="ID")
@click.option("--incident", help="Only this incident.")
@click.option(
    "--last", type=click.IntRange(0, 1000), default=50, show_default=True, help="Runs that the rule is tried on."
)
@click.option("--apply", is_flag=True, help="Put the rule into the policy file of this machine, in front.")
@click.option(
    "--policy", "path", type=click.Path(dir_okay=False, path_type=Path), help="… into this file; the settings' own."
)
@click.option("--project", help="Look in this project only.")
@url_option
@json_option
def command(
    any_id: str,
    incident: str | None,
    last: int,
    apply: bool,
    path: Path | None,
    project: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Show what to change in the run ID: the earliest step to stop, the rule, what it would have denied, the hook.

    Exit code 0 when there is nothing to change, or every rule is in force; 1 when something is to be changed.
    """
    with client_at(url) as client:
        found = client.remedies(any_id, last=last, project=project)
    wanted = [r for r in found["remedies"] if incident is None or r["incident_id"] == incident]
    if incident is not None and not wanted:
        known = ", ".join(r["incident_id"] for r in found["remedies"]) or "none"
        raise UsageError(f"--incident: {incident!r} is not an incident that stands; there is {known}")
    done = [_applied(remedy, path) for remedy in wanted] if apply else []
    if as_json:
        emit({**found, "remedies": wanted, "applied": done} if apply else {**found, "remedies": wanted})
    else:
        _print(found, wanted, done)
    sys.exit(FINE if apply or all("in_force" in remedy for remedy in wanted) else FINDING)


def _print(found: Remedies, wanted: list[Remedy], done: list[str]) -> None:
    console = Output()
    if not wanted:
        console.print(plain(f"{found['trajectory_id']}: no incident stands, there is nothing to change."))
    for remedy in wanted:
        print_remedy(console, remedy, hook=True)
    for line in done:
        console.print(plain(line))


def _applied(remedy: Remedy, path: Path | None) -> str:
    """Puts a remedy's rule into the policy file; says what became of it."""
    if "in_force" in remedy:
        return f"nothing written: {remedy['in_force']} denies that call already"
    if "rule" not in remedy:
        return "nothing written: no call can be denied"
    file = path.expanduser() if path is not None else load_settings().policy_path
    rule = policy.add(file, msgspec.convert(remedy["rule"], policy.Rule))
    return f"rule {rule.id} is in {file}; a running sidecar that reads it obeys within a second or two"
