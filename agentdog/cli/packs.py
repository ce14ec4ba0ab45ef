"""``agentdog packs``: which prompts there are, in whose words; the official wording is added, not shipped."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from agentdog.base.errors import UsageError
from agentdog.cli.common import FINE, NOTHING_EVALUATED, emit, json_option, pack_option
from agentdog.cli.output import Output
from agentdog.guards import factory, packs
from agentdog.guards.agreement import UNMEASURED, Agreement, Pair, ask, forms, keep, kept, summary
from agentdog.guards.engines.guard import EngineGuard
from agentdog.guards.factory import PACKS_FOLDER
from agentdog.guards.packs import Pack, official
from agentdog.guards.server import ServerGuard
from agentdog.service.settings import load_settings
from agentdog.trajectory import Trajectory

Model = ServerGuard | EngineGuard


@click.group()
def command() -> None:
    """List prompts, use the official wording, measure short forms."""


@command.command(name="list")
@json_option
def list_packs(as_json: bool) -> None:
    """List every pack with the wording in use."""
    folder = load_settings().data / PACKS_FOLDER
    found = packs.known(folder)
    if as_json:
        emit(
            [
                {
                    **{"name": p.name, "family": p.family, "wording": p.wording, "refused": p.refused, "note": p.note},
                    **({"short_of": p.short_of, "agreement": _measured(p, folder)} if p.short_of else {}),
                }
                for p in found
            ]
        )
        return
    console = Output(highlight=False)
    for pack in found:
        console.print(Text.assemble((pack.name, "bold"), f"  {pack.wording} wording, {pack.family.replace('_', ' ')}"))
        agreement = f"agreement with {pack.short_of}: {_agreed(_measured(pack, folder))}" if pack.short_of else None
        for note in filter(None, (pack.refused, pack.note, agreement)):
            console.print(Text(f"  {note}", "dim"))


@command.command(name="add")
@click.argument("source")
@json_option
def add(source: str, as_json: bool) -> None:
    """Take the official prompts from SOURCE: a checkout, folder, zip or URL of the AgentDoG repository.

    They are recognised by their SHA-256, kept in your pack folder and used from then on.
    """
    folder = load_settings().data / PACKS_FOLDER
    names = official.add(source, folder)
    used = [pack.name for pack in packs.known(folder) if pack.wording == official.WORDING]
    if as_json:
        emit({"files": names, "packs": used, "folder": str(folder)})
        return
    click.echo(f"kept in {folder}: {', '.join(names)}")
    click.echo(f"in official wording from now on: {', '.join(used) or 'none yet, another file is needed'}")


def _measured(pack: Pack, folder: Path) -> list[Agreement]:
    return [one for one in kept(folder) if one.short_pack == pack.fingerprint]


def _agreed(found: list[Agreement]) -> str:
    return "; ".join(f"{one.model}: {one.told()}" for one in found) or UNMEASURED


@command.command(name="agreement")
@click.argument("uri")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@pack_option
@click.option("--limit", type=click.IntRange(min=1), help="Judge the first N trajectories only.")
@json_option
@click.pass_context
def agreement(
    context: click.Context, uri: str, paths: tuple[Path, ...], pack: str | None, limit: int | None, as_json: bool
) -> None:
    """Measure how often the short form of a pack answers as the full form, on the trajectories in PATH.

    URI names a model of AgentDoG 1.5 where it runs; PATH is whatever `agentdog judge` reads. What was measured is kept
    in your pack folder and shown wherever the short form is used; without it that says unmeasured. Exit code 3 when no
    trajectory was judged by both forms.
    """
    from agentdog.cli.judge import read

    folder = load_settings().data / PACKS_FOLDER
    trajectories = [t for path in paths for t in read(path) if t.steps][:limit]
    asked = factory.with_pack(uri, pack)
    guard = factory.build(asked, folder)
    if not isinstance(guard, Model):
        raise UsageError(f"guard {uri!r} asks no model; give server:, local: or vllm:")
    found = _measure(guard, asked, folder, trajectories, ", ".join(path.name for path in paths))
    if found.judged:
        keep(folder, found)
    if as_json:
        emit(found)
    else:
        _show(Output(highlight=False), found)
    context.exit(FINE if found.judged else NOTHING_EVALUATED)


def _measure(
    guard: ServerGuard | EngineGuard, uri: str, folder: Path, trajectories: Sequence[Trajectory], data: str
) -> Agreement:
    """Asks one form, then the other, so that a model that runs here is there once only."""
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("judging", total=2 * len(trajectories))
    given, asked = {}, {}
    with bar:
        for name in forms(guard.pack):
            one = guard if guard.pack.name == name else factory.build(factory.with_pack(uri, name), folder)
            assert isinstance(one, Model)  # noqa: S101 - another pack is the same kind of guard
            asked[name] = one.pack
            given[name] = asyncio.run(ask(trajectories, one, at_once=one.at_once, done=lambda: bar.advance(task)))
    short, full = forms(guard.pack)
    pairs = [Pair(*both) for both in zip(given[short], given[full], strict=True)]
    return summary(pairs, guard.info.name, asked[short], asked[full], data)


def _show(console: Output, found: Agreement) -> None:
    console.print(Text(f"{found.short} answers as {found.full} for {found.model}", "bold"))
    console.print(Text(f"  {found.told()}"))
    for name, entry in (("kappa", found.kappa), ("P(unsafe), short less full", found.shift)):
        if entry.value is not None:
            console.print(Text(f"  {name} {entry.value:+.3f} ({entry.low or 0:+.3f} to {entry.high or 0:+.3f})"))
    if found.judged:
        console.print(Text(f"  unsafe: {found.unsafe_full} by the full form, {found.unsafe_short} by the short one"))
    for name, reasons in found.not_evaluated.items():
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "none"
        console.print(Text(f"  {name}: {found.written.get(name, 0)} tokens written, not evaluated: {told}"))
