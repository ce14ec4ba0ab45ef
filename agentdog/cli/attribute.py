"""``agentdog attribute``: which earlier step, and which sentence of it, drove an action or moved a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from agentdog.attribution import Attribution, Mode
from agentdog.attribution.messages import messages_of, place_of
from agentdog.base.errors import UsageError
from agentdog.cli.common import emit, json_option
from agentdog.cli.judge import read
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.guards import factory
from agentdog.service.settings import load_settings
from agentdog.trajectory import Trajectory

_SHOWN = 5  # sentences of a step


@click.command("attribute")
@click.argument("what", metavar="FILE|ID")
@click.option("--model", help="A chat model's folder, or server:http://HOST/v1?model=NAME (vLLM).")
@click.option("--target", type=click.Choice(["action", "verdict"]), default="action", show_default=True)
@click.option("--guard", "guard_uri", default="embedded", show_default=True, help="Who is asked for --target verdict.")
@click.option("--step", type=click.IntRange(min=2), help="The explained step, from 1. [the onset, or the agent's last]")
@click.option(
    "--mode",
    type=click.Choice(["paper", "compatible", "approximate"]),
    default="paper",
    show_default=True,
    help="paper: as arXiv 2601.15075 defines it; compatible: as AgentDoG's scripts do; approximate: screened first.",
)
@click.option(
    "--top-k", type=click.IntRange(min=0), default=3, show_default=True, help="Steps that are cut into sentences."
)
@click.option("--attention", is_flag=True, help="Also say where the model looks (a model's folder only).")
@click.option("--dtype", default="auto", show_default=True, help="Precision of a model's folder, as torch names it.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the heat map into this file.")
@url_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one a flag
    what: str,
    model: str | None,
    target: str,
    guard_uri: str,
    step: int | None,
    mode: Mode,
    top_k: int,
    attention: bool,
    dtype: str,
    html: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Say why: rank the earlier steps, and the sentences of the leading ones.

    FILE is anything that `agentdog judge` reads, with one trajectory in it; ID is any id that `agentdog show` takes.
    """
    trajectory, onset = _trajectory(what, url)
    explained = step - 1 if step is not None else onset if onset is not None else _last(trajectory)
    if target == "verdict":
        found, texts = _verdict(trajectory, explained, guard_uri, top_k)
    else:
        if model is None:
            raise UsageError("--model: name a chat model's folder or a vLLM server; `--target verdict` needs none")
        messages = messages_of(trajectory)
        from agentdog.attribution.run import Explainer

        place = place_of(messages, explained)
        with contextlib.closing(Explainer(model, dtype=dtype)) as explainer:
            found = explainer.explain(messages, place, mode=mode, top_k=top_k, attention=attention)
        texts = tuple(message.content for message in messages)
    if html is not None:
        from agentdog.attribution.page import page

        html.write_text(page(found, texts), "utf-8")
    if as_json:
        emit(found)
    else:
        _show(found, texts)


def _verdict(trajectory: Trajectory, step: int, uri: str, top_k: int) -> tuple[Attribution, tuple[str, ...]]:
    from agentdog.attribution import verdicts
    from agentdog.attribution.messages import content_of

    guard = factory.build(uri, load_settings().data / factory.PACKS_FOLDER)

    async def asked() -> Attribution:
        try:
            return await verdicts.explain(guard, trajectory, step, top_k=top_k)
        finally:
            await guard.close()

    began = time.perf_counter()
    found = asyncio.run(asked())
    cost = msgspec.structs.replace(found.cost, seconds=time.perf_counter() - began)
    return msgspec.structs.replace(found, cost=cost), tuple(content_of(own) for own in trajectory.steps)


def _trajectory(what: str, url: str | None) -> tuple[Trajectory, int | None]:
    """Returns the trajectory, and the onset of its first incident where it is stored with one."""
    path = Path(what)
    if path.exists():
        found = read(path)
        if len(found) != 1:
            ids = ", ".join(trajectory.id for trajectory in found[:5])
            raise UsageError(f"{what} holds {len(found)} trajectories ({ids}); give a file with one")
        return found[0], None
    with client_at(url) as client:
        stored = client.trajectory(what)
    trajectory = msgspec.convert(stored["trajectory"], Trajectory)
    diagnosis = stored.get("diagnosis")
    incidents = diagnosis["incidents"] if diagnosis else []
    return trajectory, incidents[0]["onset"] if incidents else None


def _last(trajectory: Trajectory) -> int:
    for own in reversed(trajectory.steps):
        if own.role == "agent" and own.index > 0:
            return own.index
    raise UsageError("no step of an agent to explain; name one with --step")


def _show(found: Attribution, texts: tuple[str, ...]) -> None:
    console = Output(highlight=False)
    asked = "Why the agent did this" if found.target == "action" else "Why the guard said so"
    console.print(Text(f"{asked}: step {found.step + 1}", style="bold"))
    console.print(plain(f"{found.model}, {found.mode} mode, {found.unit}", "dim"))
    table = Table(box=None, pad_edge=False)
    for heading in ("rank", "step", "who", "score", "attention"):
        room = {"who": len("environment"), "score": len("+00.000")}.get(heading, len(heading))
        table.add_column(heading, justify="left" if heading == "who" else "right", min_width=room, no_wrap=True)
    table.add_column("what", no_wrap=True, overflow="ellipsis", ratio=1)
    for rank, place in enumerate(found.ranking, 1):
        own = found.steps[place]
        looked = "" if own.attention is None else f"{own.attention:.0%}"
        name = "profile" if own.step is None else str(own.step + 1)
        text = plain(" ".join(texts[place].split()))
        table.add_row(str(rank), name, own.role, f"{own.score:+.3f}", looked, text)
        scored = (sentence for sentence in own.sentences or () if sentence.candidate)
        for sentence in sorted(scored, key=lambda s: -s.score)[:_SHOWN]:
            looked = "" if sentence.attention is None else f"{sentence.attention:.0%}"
            told = plain("  " + " ".join(sentence.text.split()), "italic")
            table.add_row("", "", "", f"{sentence.score:+.3f}", looked, told)
    console.print(table)
    cost = found.cost
    console.print(plain(f"{cost.computed:,} tokens read instead of {cost.plain:,}, {cost.seconds:.1f} s", "dim"))
    for note in found.notes:
        console.print(plain(note, "dim"))
