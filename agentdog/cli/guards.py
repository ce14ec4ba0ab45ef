"""``agentdog guards``: which guards there are, and whether one can do what is wanted of it."""

from __future__ import annotations

import asyncio

import click
from rich.text import Text

from agentdog.base.checks import CheckResult
from agentdog.cli.common import FINDING, FINE, emit, json_option, pack_option
from agentdog.cli.doctor import report
from agentdog.cli.output import Output
from agentdog.guards import Guard, GuardInfo, factory
from agentdog.guards.checking import examine
from agentdog.guards.checkpoints import checkpoints
from agentdog.service.settings import load_settings


@click.group()
def command() -> None:
    """List guards; check whether one can do what is wanted of it."""


@command.command(name="list")
@json_option
def list_guards(as_json: bool) -> None:
    """List the published AgentDoG checkpoints and the kinds of guards."""
    if as_json:
        emit({"kinds": factory.SCHEMES, "checkpoints": checkpoints()})
        return
    console = Output(highlight=False)
    for entry in checkpoints():
        sizes = ", ".join(f"{size:g} GiB {form}" for form, size in entry.weights_gib.items())
        cache = "" if entry.cache_gib is None else f" + {entry.cache_gib:g} GiB of cache"
        console.print(Text(entry.id, "bold" if entry.judges else ""))
        pack = entry.pack if entry.judges else f"{entry.pack} (names labels only, gives no verdict)"
        console.print(Text(f"  pack {pack}, context {entry.context}; {sizes}{cache}"))
        template = f"{entry.template.format} template, thinks {entry.template.thinks}"
        console.print(Text(f"  {template}; needs {entry.needs}"))
        console.print(Text(f"  {entry.serve}"), soft_wrap=True)
        if entry.revision:
            console.print(Text(f"  revision that third parties ran: {entry.revision}", "dim"))
        for doubt in entry.unsure:
            console.print(Text(f"  unsure: {doubt}", "dim"))
    for kind, written in factory.SCHEMES.items():
        console.print(Text(f"{kind:10} {written}"))


@command.command(name="check")
@click.argument("uri")
@pack_option
@json_option
@click.pass_context
def check(context: click.Context, uri: str, pack: str | None, as_json: bool) -> None:
    """Ask the guard that URI names what it can do. Exit code 1 when something is missing; nothing is changed."""
    guard = factory.build(factory.with_pack(uri, pack), load_settings().data / factory.PACKS_FOLDER)
    info, results = asyncio.run(_check(guard))
    if as_json:
        emit({"guard": info, "checks": results})
    else:
        Output(highlight=False).print(report(results))
    context.exit(FINDING if any(r.status in ("warn", "fail") for r in results) else FINE)


async def _check(guard: Guard) -> tuple[GuardInfo, list[CheckResult]]:
    try:
        return guard.info, await examine(guard)
    finally:
        await guard.close()
