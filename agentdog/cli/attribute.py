"""``agentdog attribute``: which earlier step, and which sentence of it, drove an action or moved a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import click
import msgspec
from click.core import ParameterSource
from rich.table import Table
from rich.text import Text

from agentdog.attribution import Attribution, Mode, SentenceScore, StepScore
from agentdog.attribution.messages import messages_of, place_of
from agentdog.attribution.result import shown
from agentdog.base.errors import AgentDogError, OutsideError, UsageError
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
    if target == "verdict" and (wrong := _of_actions(click.get_current_context())):
        raise UsageError(f"{', '.join(wrong)}: for --target action only; a verdict is explained by leaving text out")
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        raise UsageError(f"--html: {html} is no file that could be written; name one in a folder that is there")
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

        try:
            html.write_text(page(found, texts), "utf-8")
        except OSError as error:
            raise OutsideError(f"--html: cannot write {html}: {error.strerror}") from error
    if as_json:
        emit(found)
    else:
        _show(found, texts)


def _of_actions(context: click.Context) -> list[str]:
    """Names the options that were given and say how an action is explained."""
    named = {"model": "--model", "mode": "--mode", "attention": "--attention", "dtype": "--dtype"}
    return [flag for name, flag in named.items() if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]


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
    try:
        with client_at(url) as client:
            stored = client.trajectory(what)
    except AgentDogError as error:
        raise type(error)(f"no file {what} is here; taken for an id: {error}") from error
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
    console.print(plain(", ".join((found.model, *found.told)), "dim"))
    table = Table(box=None, pad_edge=False)
    names = [
        "rank",
        "step",
        "who",
        "score",
        *(["attention"] if any(s.attention is not None for s in found.steps) else []),
    ]
    rooms = [{"who": len("environment"), "score": len("+00.000")}.get(name, len(name)) for name in names]
    for name, room in zip(names, rooms, strict=True):
        table.add_column(name, justify="left" if name == "who" else "right", min_width=room, no_wrap=True)
    # Rich would take the room that a long text lacks from all columns alike, down to none.
    room = max(console.width - sum(rooms) - 2 * len(names), len("what"))
    table.add_column("what", max_width=room, no_wrap=True, overflow="ellipsis")
    for rank, place in enumerate(found.ranking, 1):
        own = found.steps[place]
        name = "profile" if own.step is None else str(own.step + 1)
        _row(table, [str(rank), name, own.role], own, plain(" ".join(texts[place].split())))
        scored = (sentence for sentence in own.sentences or () if sentence.candidate)
        for sentence in sorted(scored, key=lambda s: -s.score)[:_SHOWN]:
            _row(table, ["", "", ""], sentence, plain("  " + " ".join(sentence.text.split()), "italic"))
    console.print(table)
    if found.cost.plain:
        cost = found.cost
        console.print(plain(f"{cost.computed:,} tokens read instead of {cost.plain:,}, {cost.seconds:.1f} s", "dim"))
    for note in found.notes:
        console.print(plain(note, "dim"))


def _row(table: Table, told: list[str], scored: StepScore | SentenceScore, text: Text) -> None:
    looked = (
        [] if len(table.columns) == len(told) + 2 else ["" if scored.attention is None else f"{scored.attention:.0%}"]
    )
    table.add_row(*told, shown(scored.score), *looked, text)
