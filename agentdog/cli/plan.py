"""``agentdog plan``: which guard fits a GPU, for so many agents."""

from __future__ import annotations

import click
from rich.text import Text

from agentdog.cli.common import FINDING, FINE, emit, json_option
from agentdog.cli.output import Output
from agentdog.guards.planning import Cache, Load, Option, assumptions, gib, plan

_SHOWN = 5


@click.command("plan")
@click.option("--gpu", required=True, metavar="SIZE", help="Memory of the card, such as 8GB.")
@click.option("--agents", default=1, show_default=True, type=click.IntRange(1), help="Agents that run at once.")
@click.option("--run-tokens", default=4096, show_default=True, type=click.IntRange(1), help="Length of a run.")
@click.option("--step-tokens", default=200, show_default=True, type=click.IntRange(1), help="What a step adds.")
@click.option(
    "--step-seconds", default=5.0, show_default=True, type=click.FloatRange(0.01), help="Between an agent's steps."
)
@click.option("--diagnoser", is_flag=True, help="With the model that names where, how and what on the same card.")
@click.option(
    "--cache", type=click.Choice(["bf16", "fp8"]), default="bf16", show_default=True, help="Form of the cache."
)
@json_option
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - one per option, by name
    context: click.Context,
    gpu: str,
    agents: int,
    run_tokens: int,
    step_tokens: int,
    step_seconds: float,
    diagnoser: bool,
    cache: Cache,
    as_json: bool,
) -> None:
    """Say which guard fits a GPU of SIZE, what its memory goes to, and what that rests on.

    Arithmetic only: nothing is started. Exit code 1 when no published guard fits.
    """
    load = Load(agents=agents, run_tokens=run_tokens, step_tokens=step_tokens, step_s=step_seconds)
    size = gib(gpu)
    fitting = [option for option in plan(size, load, diagnoser=diagnoser, cache=cache) if option.fits]
    said = assumptions(load, cache)
    if as_json:
        emit({"gpu_gib": size, "load": load, "fits": fitting, "assumptions": said})
    else:
        _print(Output(highlight=False), size, fitting, said)
    context.exit(FINE if fitting else FINDING)


def _print(console: Output, gpu_gib: float, fitting: list[Option], said: tuple[str, ...]) -> None:
    if not fitting:
        console.print(Text(f"No published guard fits {gpu_gib:g} GiB. The embedded guard needs no GPU.", "bold"))
    for option in fitting[:_SHOWN]:
        names = " + ".join(name for name in (option.checkpoint, option.diagnoser) if name)
        console.print(Text.assemble((names, "bold"), f"  {option.form}"))
        weights, cache = f"{option.weights_gib:g} GiB of weights", f"{option.cache_gib:g} GiB of cache"
        console.print(Text(f"  {weights}, {cache}: {option.cache_tokens:,} tokens; context {option.context:,}"))
        kept = f"{option.kept:.0%} of the agents' runs stay in the cache"
        console.print(Text(f"  {kept}; must read {option.read_per_s:,.0f} tokens/s"))
        for line in option.serve:
            console.print(Text(f"  {line}"), soft_wrap=True)
        for note in option.note:
            console.print(Text(f"  note: {note}", "dim"))
    if len(fitting) > _SHOWN:
        console.print(Text(f"and {len(fitting) - _SHOWN} more: --json", "dim"))
    console.print(Text("This rests on:"))
    for sentence in said:
        console.print(Text(f"  {sentence}", "dim"))
