"""``agentdog forget``: deletes a run, a session, or all that is kept of a person."""

from __future__ import annotations

import click
from rich.console import Console

from agentdog.base.errors import UsageError
from agentdog.cli.common import emit, json_option
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.client import wording


@click.command("forget")
@click.argument("run", required=False)
@click.option("--session", metavar="ID", help="All runs with this session or conversation id.")
@click.option("--subject", metavar="USER", help="All runs of this user (user.id, enduser.id and the like).")
@click.option("--project", help="In this project only.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted; delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@url_option
@json_option
def command(
    run: str | None,
    session: str | None,
    subject: str | None,
    project: str | None,
    dry_run: bool,
    yes: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Delete a RUN (any id in it), a session, or all that is kept of a person, for good.

    Records, trajectories, verdicts, reviews, messages and every index go, and the store's log is written anew without
    them. The audit log keeps that it was done. Exit code 1 when there was nothing to delete.
    """
    if sum(each is not None for each in (run, session, subject)) != 1:
        raise UsageError("give exactly one of RUN, --session, --subject")
    console = Console(highlight=False)
    with client_at(url) as client:
        told = client.forget(run=run, session=session, subject=subject, project=project, dry_run=True)
        runs = sum(len(each["runs"]) for each in told["projects"].values())
        records = sum(each["records"] for each in told["projects"].values())
        if records and not dry_run:
            if not yes and not as_json:
                question = f"Delete {wording.plural(runs, 'run')} ({wording.plural(records, 'record')}) for good?"
                click.confirm(question, abort=True)
            told = client.forget(run=run, session=session, subject=subject, project=project)
    if as_json:
        emit(told)
    else:
        for name, each in told["projects"].items():
            verb = "would be deleted" if dry_run else "deleted"
            words = f"{wording.plural(len(each['runs']), 'run')}, {wording.plural(each['records'], 'record')} {verb}"
            console.print(plain(f"{name}: {words}"))
        if not records:
            console.print("There is nothing to delete.")
        elif not dry_run and not told["log_rewritten"]:
            console.print(
                plain("The store's log could not be written anew: what was deleted may still be on its disk.", "yellow")
            )
    raise SystemExit(0 if records else 1)
