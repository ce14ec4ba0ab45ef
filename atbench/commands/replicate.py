"""``atbench replicate``: run a published row's condition, and remember what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import click
import msgspec
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentdog.base.errors import AgentDogError, UsageError
from agentdog.guards import factory
from agentdog.guards.packs import Pack
from agentdog.trajectory.formats import Case
from atbench import replication as remembered
from atbench import wording as words
from atbench.data import load
from atbench.job import Job, default_packs, evaluate
from atbench.ledger import DataInfo
from atbench.progress import Bar
from atbench.published import Anchor, find
from atbench.record import Mode
from atbench.replication import TOLERANCE, AtHand, Lack, Replication, compare, lacks
from atbench.show import number, percent

REPLICATED, APART, LACKING, NOTHING_EVALUATED = 0, 1, 2, 3
_SERVER = "http://127.0.0.1:8000/v1"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--check`` finds: the row, and what its condition asks for that is not at hand."""

    row: str
    source: str
    published: dict[str, str]
    guard: str
    lacking: tuple[Lack, ...]


@click.command()
@click.argument("row")
@click.option("--guard", "uri", help=f"Guard with the row's weights; by default served at {_SERVER}.")
@click.option("--dataset", help="The row's data: a file, or hub:OWNER/NAME/PATH@REVISION.")
@click.option(
    "--wording",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Text file with the prompt as the source prints it; {trajectory}, {categories} and {tools} are filled in.",
)
@click.option("--packs", type=click.Path(path_type=Path, file_okay=False), help="Your pack folder.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to keep every answer in; resumes."
)
@click.option("--check", is_flag=True, help="Say what is at hand and what is not; ask nothing of the guard but health.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=TOLERANCE,
    show_default=True,
    help="Points within which a score counts as replicated.",
)
@click.option("--record/--no-record", default=True, show_default=True, help="Remember it for later reports.")
@click.option(
    "--table", type=click.Path(path_type=Path), help="Published rows of yours, in the form of published.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")
def replicate(  # noqa: PLR0913, PLR0917 - one parameter per option
    row: str,
    uri: str | None,
    dataset: str | None,
    wording: Path | None,
    packs: Path | None,
    out: Path | None,
    check: bool,
    tolerance: float,
    record: bool,
    table: Path | None,
    as_json: bool,
) -> None:
    """Run the condition of published row ROW and say whether its scores come out again.

    ROW is SET/MODEL, or SET/MODEL/labels, as `atbench published` lists them. Data, wording and weights have to be at
    hand; what is not is named with its remedy (exit code 2). Exits with 0 when every printed score is within
    --tolerance points, with 1 when not. The result is remembered in the data folder (AGENTDOG_DATA), and reports say
    so from then on.
    """
    anchor = find(row, table)
    folder = packs or default_packs()
    asked = _uri(anchor, uri, wording, out) if anchor.condition else ""
    data, cases = _data(anchor, dataset, here_only=check)
    there = _at_hand(anchor, asked, folder, data, cases)
    missing = lacks(anchor, there)
    if check or missing:
        checked = Checked(
            row=anchor.id, source=anchor.source, published=anchor.printed, guard=asked, lacking=tuple(missing)
        )
        _show_check(checked, as_json)
        raise SystemExit(LACKING if missing else REPLICATED)
    assert data is not None  # noqa: S101 - it would be lacking
    job = Job(guard=asked, out=out, packs=folder, baselines=False)
    if anchor.part == "labels":
        job = job._replace(guard="embedded", labeller=asked, mode=Mode.DIAGNOSIS_ONLY)
    found = evaluate(data, cases, job, Bar)
    if all(one.prediction is None for one in found.rows):
        click.echo("nothing could be evaluated: " + ", ".join(found.not_evaluated), err=True)
        raise SystemExit(NOTHING_EVALUATED)
    result = compare(anchor, found, tolerance=tolerance)
    if out is not None:
        (out / "replication.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    if record:
        remembered.keep(result, remembered.home())
    _show(result, as_json)
    raise SystemExit(REPLICATED if result.outcome == "replicated" else APART)


def _uri(anchor: Anchor, uri: str | None, wording: Path | None, out: Path | None) -> str:
    """The guard's URI with the row's pack, and without a margin, which no paper has."""
    assert anchor.condition is not None  # noqa: S101 - the caller's
    uri = uri or f"server:{_SERVER}?model={anchor.weights}"
    if uri.partition(":")[0] not in ("server", "local", "vllm"):
        raise UsageError(f"--guard {uri}: a published row is of a model; give server:, local: or vllm:")
    place, _, query = uri.partition("?")
    options = dict(parse_qsl(query))
    options.setdefault("margin", "0")
    if wording is not None:
        options["pack"] = str(_worded(anchor.condition.pack, wording, out))
    options.setdefault("pack", anchor.condition.pack)
    return f"{place}?{urlencode(options, safe='/:')}"


def _worded(pack: str, wording: Path, out: Path | None) -> Path:
    """Writes a pack with the words of a file, beside the answers or beside the file."""
    path = (out or wording.parent) / f"{wording.stem}.pack.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {"name": wording.stem, "extends": pack, "prompt": wording.read_text(encoding="utf-8")}
    path.write_text(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _data(anchor: Anchor, dataset: str | None, *, here_only: bool) -> tuple[DataInfo | None, list[Case]]:
    if dataset is None and not anchor.place.startswith("hub:"):
        return None, []
    try:
        return load(dataset or anchor.place, here_only=here_only)
    except AgentDogError as error:
        if dataset is not None:
            raise
        click.echo(f"atbench: {error}", err=True)
        return None, []


def _at_hand(anchor: Anchor, uri: str, folder: Path, data: DataInfo | None, cases: Sequence[Case]) -> AtHand:
    """Builds the guard and asks whether it would answer; what fails is lacking and no error."""
    if not uri:
        return AtHand(data, cases, None, None, None)
    try:
        guard = factory.build(uri, folder, diagnoses=anchor.part == "labels")
    except AgentDogError as error:
        click.echo(f"atbench: {error}", err=True)
        return AtHand(data, cases, None, None, None)
    pack: Pack | None = getattr(guard, "pack", None)

    async def ask() -> AtHand:
        try:
            health = await guard.health()
        finally:
            await guard.close()
        return AtHand(data, cases, words.fingerprint(pack) if pack else None, guard.info.name, health)

    return asyncio.run(ask())


def _show_check(checked: Checked, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(checked), indent=2).decode())
        return
    click.echo(f"{checked.row}, {checked.source}: " + ", ".join(f"{k} {v}" for k, v in checked.published.items()))
    for lack in checked.lacking:
        click.echo(f"lacking  {lack.what}: {lack.why}\n         remedy: {lack.remedy}")
    if not checked.lacking:
        click.echo(f"everything is at hand; guard {checked.guard}")


def _show(result: Replication, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
        return
    console = Console(highlight=False)
    table = Table(title=Text(f"{result.row}, {result.source}: {result.told()}"), title_justify="left")
    for column in ("", "published", "here", "95 % interval", "points"):
        table.add_column(column, no_wrap=True)
    for name, printed in result.published.items():
        ours = result.ours.get(name)
        value, low, high = (ours.value, ours.low, ours.high) if ours else (None, None, None)
        table.add_row(name, printed, percent(value), f"{percent(low)} … {percent(high)}", number(result.points[name]))
    console.print(table)
    for text in result.open:
        console.print(Text(f"note: {text}", style="dim"))
