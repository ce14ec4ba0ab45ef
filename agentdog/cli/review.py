"""``agentdog review``: say what is right and wrong about a run, and take what was said as labelled rows."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any, cast

import click
from rich.table import Table

from agentdog.base.errors import UsageError
from agentdog.cli import labelled
from agentdog.cli.common import emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, token, url_option
from agentdog.cli.sending import Sender
from agentdog.client import Client
from agentdog.client.shapes import Labels, Review, ReviewAction, ReviewOutcome, Suppression
from agentdog.service.settings import load_settings

_OF_INCIDENT = ("confirm", "correct", "dismiss", "reopen")
_ACTIONS = (*_OF_INCIDENT, "mark", "unmark", "approve", "doubt")
_SCHEMA = "agentdog.reviews/1"


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "someone"


@click.group("review")
def command() -> None:
    """Confirm, correct or dismiss what was found; mark what was missed; export and import what people said."""


@command.command("say")
@click.argument("action", type=click.Choice(_ACTIONS))
@click.argument("any_id", metavar="ID")
@click.option("--incident", help="Which incident, where there are several.")
@click.option("--step", type=click.IntRange(min=1), help="Step, from 1: the one to mark, or the corrected onset.")
@click.option("--risk-source", metavar="LABEL", help="Where, corrected; '' for none.")
@click.option("--failure-mode", metavar="LABEL", help="How, corrected; '' for none.")
@click.option("--real-world-harm", metavar="LABEL", help="What, corrected; '' for none.")
@click.option("--note", help="Why.")
@click.option("--author", default=_me, help="Who says it; you by default.")
@click.option("--all-like-this", is_flag=True, help="With dismiss: dismiss all that are alike from now on.")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), default=30, show_default=True, help="… for so long."
)
@click.option("--project", help="Look in this project only.")
@url_option
@json_option
def say(  # noqa: PLR0913, PLR0917 - the options above
    action: str,
    any_id: str,
    incident: str | None,
    step: int | None,
    risk_source: str | None,
    failure_mode: str | None,
    real_world_harm: str | None,
    note: str | None,
    author: str,
    all_like_this: bool,
    days: float,
    project: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Say ACTION of the run ID: an incident of it, one of its steps (mark, unmark), or all of it (approve, doubt)."""
    axes = {"risk_source": risk_source, "failure_mode": failure_mode, "real_world_harm": real_world_harm}
    labels = {axis: label for axis, label in axes.items() if label is not None}
    with client_at(url) as client:
        outcome = client.review(
            any_id,
            cast("ReviewAction", action),
            author=author,
            incident_id=incident,
            step=None if step is None else step - 1,
            labels=cast("Labels", labels) if labels else None,
            note=note,
            project=project,
            suppress={"reason": note or "", "days": days} if all_like_this else None,
        )
    if as_json:
        emit(outcome)
        return
    _print_outcome(outcome)


def _print_outcome(outcome: ReviewOutcome) -> None:
    console, summary = Output(), outcome["stored"]["summary"]
    console.print(plain(f"{outcome['review']['action']}: {summary['id']} is now {summary['verdict']}"))
    rule = outcome.get("suppression")
    if rule is not None:
        console.print(
            plain(f"rule {rule['id']} until {rule['expires']}: {rule['like']}; {rule.get('count', 0)} so far")
        )


@command.command("history")
@click.argument("any_id", metavar="ID")
@click.option("--project", help="Look in this project only.")
@url_option
@json_option
def history(any_id: str, project: str | None, url: str | None, as_json: bool) -> None:
    """Show all that was said of a run, every version, oldest first."""
    with client_at(url) as client:
        found = client.reviews(any_id, project=project)["reviews"]
    if as_json:
        emit(found)
        return
    table = Table.grid(padding=(0, 2))
    for each in found:
        who = f"rule {each['rule']}" if "rule" in each else each["author"]
        table.add_row(*map(plain, (each["time"], who, each["action"], each["subject"], each.get("note", ""))))
    Output().print(table if found else "Nobody said anything of it.")


@command.command("rules")
@click.option("--project", help="Of this project only.")
@click.option("--revoke", metavar="RULE", help="End this rule now.")
@url_option
@json_option
def rules(project: str | None, revoke: str | None, url: str | None, as_json: bool) -> None:
    """Show the suppression rules with how often each applied, or end one."""
    with client_at(url) as client:
        if revoke is not None:
            client.revoke(revoke)
        answer = client.suppressions(project=project)
    if as_json:
        emit(answer)
        return
    table = Table.grid(padding=(0, 2))
    for rule in answer["suppressions"]:
        state = "revoked" if "revoked" in rule else "expired" if rule["expires"] <= answer["now"] else "in force"
        words = (rule["id"], state, f"until {rule['expires']}", f"{rule.get('count', 0)} dismissed", rule["reason"])
        table.add_row(*map(plain, (*words, json.dumps(rule["like"]))))
    Output().print(table if answer["suppressions"] else "No suppression rules.")


@command.command("export")
@click.option("--project", required=True, help="Exact name.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["reviews", "atbench", "native", "chat"]),
    default="reviews",
    show_default=True,
    help="What was said with every version (import takes it back), or labelled rows: ATBench's schema, our own, chats.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; standard output without.")
@url_option
def export(project: str, kind: str, output: Path | None, url: str | None) -> None:
    """Write what people said as JSON lines."""
    with client_at(url) as client:
        rows = _said(client, project) if kind == "reviews" else list(client.dataset(project, format=kind))
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, "utf-8")
    click.echo(f"{len(rows)} rows in {output}", err=True)


def _said(client: Client, project: str) -> list[dict[str, Any]]:
    """Every review and rule of a project, one row each."""
    rows: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        page = client.reviews(project=project, offset=offset)
        rows += [{"schema": _SCHEMA, "review": review} for review in page["reviews"]]
        offset = page.get("next")
    rules = client.suppressions(project=project)["suppressions"]
    return rows + [{"schema": _SCHEMA, "suppression": rule} for rule in rules]


@command.command("import")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", help="Of labelled rows: where their runs go; the settings' own.")
@click.option("--author", default=_me, help="Of labelled rows: who says so; you by default.")
@click.option("--otlp", metavar="URL", help="Of labelled rows: address of the OTLP/HTTP receiver; the settings' own.")
@url_option
@json_option
def take(path: Path, project: str | None, author: str, otlp: str | None, url: str | None, as_json: bool) -> None:
    """Take back what `agentdog review export` wrote; what is there already is left alone.

    Reviews and rules come back as they were, with every version. Labelled rows (native, ATBench's schema) are taken in
    as runs, and their labels as reviews: a safe one is approved, an unsafe one marked at its step.
    """
    with path.open(encoding="utf-8") as file:
        first = next((line for line in file if line.strip()), "")
    if _SCHEMA not in first:
        _take_labelled(path, project, author, otlp, url, as_json=as_json)
        return
    reviews, suppressions = _read_said(path)
    with client_at(url) as client:
        counts = client.import_reviews(reviews, suppressions)
    if as_json:
        emit(counts)
    else:
        new = f"{counts['reviews']} reviews and {counts['suppressions']} rules taken"
        click.echo(f"{new}; {counts['known']} reviews were there already")


def _read_said(path: Path) -> tuple[list[Review], list[Suppression]]:
    reviews: list[Review] = []
    suppressions: list[Suppression] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: no JSON; give what `agentdog review export` wrote") from error
        if not isinstance(row, dict) or row.get("schema") != _SCHEMA:
            raise UsageError(f"{path}, line {number}: schema is not {_SCHEMA}; keep reviews and labelled rows apart")
        if "review" in row:
            reviews.append(row["review"])
        elif "suppression" in row:
            suppressions.append(row["suppression"])
    return reviews, suppressions


def _take_labelled(
    path: Path, project: str | None, author: str, otlp: str | None, url: str | None, *, as_json: bool
) -> None:
    settings = load_settings()
    where = project or settings.project
    with client_at(url) as client:
        sender = Sender(otlp or settings.otlp_endpoint, where, token=token())
        taken = labelled.take(path, where, author, client, sender)
    if as_json:
        emit(taken)
        return
    click.echo(
        f"{taken.runs} runs sent to {where}; {taken.reviews} labels taken as reviews, {taken.known} were there already,"
        f" {taken.unlabelled} rows have none"
    )
