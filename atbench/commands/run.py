"""``atbench run``: judge every row of a labelled file, keep every answer, print scores."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import click
import msgspec
from rich.console import Console

from agentdog.guards import factory
from atbench.data import Ambiguous, Taking, load
from atbench.job import Job, default_packs, evaluate
from atbench.ledger import Prices
from atbench.progress import Bar
from atbench.record import Mode
from atbench.show import show

FINE, NOTHING_EVALUATED = 0, 3  # exit codes, as `agentdog` has them; 2 is for usage and environment


@click.command()
@click.argument("dataset")
@click.option("--guard", "uri", default="embedded", show_default=True, help="Guard, as `agentdog judge` takes it.")
@click.option("--pack", help="Prompt and parser: a pack's name, or a YAML file of yours.")
@click.option("--diagnose-guard", "labeller", help="Guard for the labels; end-to-end and diagnosis-only.")
@click.option("--mode", type=click.Choice([m.value for m in Mode]), default=Mode.TRAJECTORY.value, show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="Ask every row so often.")
@click.option("--limit", type=click.IntRange(min=1), help="Judge the first N rows only.")
@click.option(
    "--ambiguous",
    type=click.Choice([a.value for a in Ambiguous]),
    default=Ambiguous.AS_LABELLED.value,
    show_default=True,
    help="Rows whose label the set does not vouch for: as they are, all unsafe, all safe, or left out.",
)
@click.option("--mask", is_flag=True, help="Take out phrases with which ASSEBench and ASB give the label away.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Rows in flight; by default the guard's own limit.")
@click.option(
    "--engine",
    type=click.Choice(["here", "ray"]),
    default="here",
    show_default=True,
    help="Ask from this process, or from workers of Ray Data (a cluster where RAY_ADDRESS names one).",
)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="With --engine ray.")
@click.option(
    "--packs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Your pack folder, with official wording; by default that of `agentdog packs`.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to keep every answer in; resumes."
)
@click.option("--baselines/--no-baselines", default=True, show_default=True, help="Score shortcuts beside the guard.")
@click.option("--prices", nargs=3, type=float, help="Per million tokens: prompt, cached prompt, completion.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")
def run(  # noqa: PLR0913, PLR0917 - one parameter per option
    dataset: str,
    uri: str,
    pack: str | None,
    labeller: str | None,
    mode: str,
    repeats: int,
    limit: int | None,
    ambiguous: str,
    mask: bool,
    concurrency: int | None,
    engine: str,
    workers: int,
    packs: Path | None,
    out: Path | None,
    baselines: bool,
    prices: tuple[float, float, float] | None,
    as_json: bool,
) -> None:
    """Judge every row of DATASET and print scores with intervals.

    DATASET is a file in a known format (ATBench and its relatives, the normalised schema, chats, our own JSON), a
    folder of such files, or one of the hub, hub:OWNER/NAME/PATH@REVISION. With --out, a run that was ended in the
    middle goes on where it was: what is kept is not asked again.
    """
    job = Job(
        guard=factory.with_pack(uri, pack),
        labeller=labeller,
        mode=Mode(mode),
        repeats=repeats,
        concurrency=concurrency,
        engine=cast(Literal["here", "ray"], engine),
        workers=workers,
        out=out,
        prices=Prices(prompt=prices[0], cached=prices[1], completion=prices[2]) if prices else None,
        baselines=baselines,
        packs=packs or default_packs(),
    )
    result = evaluate(*load(dataset, Taking(limit, Ambiguous(ambiguous), mask)), job, Bar)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        show(Console(highlight=False), result)
    evaluated = any(row.prediction is not None for row in result.rows)
    raise SystemExit(FINE if evaluated or not result.rows else NOTHING_EVALUATED)
