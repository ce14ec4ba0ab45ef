"""``agentdog outbound``: who else is told, what became of it, and whether it arrives."""

from __future__ import annotations

import asyncio
import secrets

import click
import msgspec
from rich.table import Table
from rich.text import Text

from agentdog import __version__
from agentdog.base.clock import SystemClock, rfc3339
from agentdog.base.errors import UsageError
from agentdog.cli.common import FINDING, FINE, emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.client import wording
from agentdog.outbound import Answer, test_alert, test_evaluation
from agentdog.service.settings import Settings, load_settings
from agentdog.service.targets import link_base, open_targets

_NOBODY = (
    "nobody is told: set AGENTDOG_OUTBOUND__WEBHOOK__URL, AGENTDOG_OUTBOUND__SLACK__URL or"
    " AGENTDOG_OUTBOUND__OTLP__ENDPOINT (docs/outbound.md)"
)
_STATES = {"delivered": "cyan", "pending": "yellow", "given_up": "bold red", "withdrawn": "dim"}


class Tested(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What became of a test message to one place."""

    target: str
    ok: bool
    detail: str = ""


@click.group("outbound")
def command() -> None:
    """See what was told to webhooks, chats and OTLP receivers; test whether it arrives."""


@command.command("test")
@json_option
@click.pass_context
def test(context: click.Context, as_json: bool) -> None:
    """Send a test message to every place that the settings name, once. Exit code 1 when one does not take it."""
    results = asyncio.run(_test(load_settings()))
    if as_json:
        emit(results)
    else:
        for each in results:
            words = f"{each.target}: {'taken' if each.ok else 'failed'}"
            click.echo(f"{words} ({each.detail})" if each.detail else words)
    context.exit(FINE if all(each.ok for each in results) else FINDING)


test.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for one of its own


async def _test(settings: Settings) -> list[Tested]:
    async with open_targets(settings) as targets:
        if not targets.names:
            raise UsageError(_NOBODY)
        now_ns, seed = SystemClock().now_ns(), secrets.token_hex(8)
        alert = test_alert(link_base(settings), rfc3339(now_ns))
        results = [
            _tested(each.name, await each.send(each.body(alert), f"agentdog-test-{seed}")) for each in targets.notifiers
        ]
        if targets.otlp is not None:
            answer = await targets.otlp.send([test_evaluation(seed, now_ns, __version__)])
            results.append(_tested(targets.otlp.name, answer))
        return results


def _tested(target: str, answer: Answer) -> Tested:
    return Tested(target=target, ok=answer.ok, detail=answer.error or answer.note or "")


@command.command("list")
@click.option("--project", help="Of this project only.")
@click.option("--unsent", is_flag=True, help="Only what waits or was given up.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Entries.")
@url_option
@json_option
@click.pass_context
def list_(
    context: click.Context, project: str | None, unsent: bool, limit: int, url: str | None, as_json: bool
) -> None:
    """List messages, the last tried first. Exit code 1 when any waits or was given up."""
    with client_at(url) as client:
        found = client.deliveries(project=project, unsent=unsent, limit=limit)
    if as_json:
        emit(found)
    elif not found["items"]:
        click.echo("Nothing was sent." if not unsent else "Nothing waits.")
    else:
        table = Table("id", "when", "to", "state", "tries", "project", "run", "error", box=None, padding=(0, 2, 0, 0))
        for item in found["items"]:
            state = item.get("state", "pending")
            table.add_row(
                item["id"],
                wording.when(item["updated"]),
                item["target"],
                Text(state.replace("_", " "), _STATES[state]),
                str(item.get("attempts", 0)),
                plain(item["project"]),
                plain(item["trajectory_id"]),
                plain(item.get("error", "")),
            )
        Output().print(table)
    context.exit(FINDING if found["unsent"] else FINE)


@command.command("retry")
@click.argument("identity", metavar="ID|all")
@url_option
@json_option
@click.pass_context
def retry(context: click.Context, identity: str, url: str | None, as_json: bool) -> None:
    """Try a message again that waits or was given up, or all of them. Exit code 1 when there is none."""
    with client_at(url) as client:
        count = client.retry_deliveries(None if identity == "all" else identity)
    if as_json:
        emit({"retried": count})
    else:
        click.echo(f"{count} tried again.")
    context.exit(FINE if count else FINDING)
