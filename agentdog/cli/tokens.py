"""``agentdog tokens``: bearer tokens, made and revoked in the store itself, so that the first one needs no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar, cast, get_args

import click
import msgspec
from rich.table import Table

from agentdog.base.clock import SystemClock, rfc3339
from agentdog.base.errors import NotFoundError
from agentdog.cli.common import emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import plain
from agentdog.service.settings import load_settings
from agentdog.service.stores import open_store
from agentdog.store.redis_store import RedisStore
from agentdog.store.tokens import Role, Token

T = TypeVar("T")
_DAY_NS = int(timedelta(days=1).total_seconds()) * 10**9


class Shown(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A token as people may see it; `token` is its text, given once when it is made."""

    id: str
    name: str
    role: str
    projects: tuple[str, ...] = ()
    created: str
    expires: str | None = None
    token: str | None = None


@click.group("tokens")
def command() -> None:
    """Make, list and revoke bearer tokens. They are asked for where AGENTDOG_AUTH__MODE=on."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(get_args(Role)), required=True, help="What it may do.")
@click.option("--project", "projects", multiple=True, metavar="PROJECT", help="Only this project; may be repeated.")
@click.option("--days", type=click.IntRange(min=1), help="Ends after so many days; never by default.")
@json_option
def add(name: str, role: str, projects: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make a token called NAME and print it, once: only its hash is kept."""
    expires = rfc3339(SystemClock().now_ns() + days * _DAY_NS) if days else None
    token, text = _with_store(lambda store: store.add_token(name, cast("Role", role), projects, expires))
    if as_json:
        emit(_shown(token, text))
    else:
        click.echo(text)
        click.echo(
            "Shown this once. Exporters send it as OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20TOKEN',", err=True
        )
        click.echo("commands read it from AGENTDOG_TOKEN or the file AGENTDOG_TOKEN_FILE.", err=True)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List tokens; none can be read back."""
    tokens = sorted(_with_store(lambda store: store.tokens()).values(), key=lambda each: each.created)
    if as_json:
        emit([_shown(token) for token in tokens])
        return
    table = Table("id", "name", "role", "projects", "created", "ends", box=None, padding=(0, 2, 0, 0))
    for token in tokens:
        scope = ", ".join(token.projects) or "all"
        table.add_row(
            token.id, plain(token.name), token.role, plain(scope), token.created[:10], (token.expires or "never")[:10]
        )
    Output().print(table if tokens else "There is none. `agentdog tokens add NAME --role read` makes one.")


@command.command("revoke")
@click.argument("identity", metavar="ID")
@json_option
def revoke(identity: str, as_json: bool) -> None:
    """Revoke the token with this ID; it stops working within seconds."""
    if not _with_store(lambda store: store.revoke_token(identity)):
        raise NotFoundError(f"no token has the id {identity!r}; `agentdog tokens list` shows them")
    if as_json:
        emit({"revoked": identity})
    else:
        click.echo(f"Revoked {identity}.")


def _shown(token: Token, text: str | None = None) -> Shown:
    return Shown(
        id=token.id,
        name=token.name,
        role=token.role,
        projects=token.projects,
        created=token.created,
        expires=token.expires,
        token=text,
    )


def _with_store(ask: Callable[[RedisStore], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_store(load_settings()) as store:
            return await ask(store)

    return asyncio.run(run())
