"""``atbench run``: judge every row of a labelled file, keep every answer, print scores."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from agentdog.base.errors import UsageError
from agentdog.guards import Guard, factory
from agentdog.guards.server import ServerOptions
from agentdog.trajectory.formats import Case
from atbench.data import Ambiguous, Taking, load
from atbench.ledger import BASELINES, Asking, DataInfo, Ledger, Prices, RunInfo
from atbench.metrics import Confusion
from atbench.record import Mode, Record
from atbench.report import report, score_shortcuts
from atbench.runner import Asked, Judges
from atbench.runner import run as judge_all
from atbench.show import percent, show

FINE, NOTHING_EVALUATED = 0, 3  # exit codes, as `agentdog` has them; 2 is for usage and environment


@click.command()
@click.argument("dataset")
@click.option("--guard", "uri", default="embedded", show_default=True, help="Guard, as `agentdog judge` takes it.")
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
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to keep every answer in; resumes."
)
@click.option("--baselines/--no-baselines", default=True, show_default=True, help="Score shortcuts beside the guard.")
@click.option("--prices", nargs=3, type=float, help="Per million tokens: prompt, cached prompt, completion.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")
def run(  # noqa: PLR0913, PLR0917 - one parameter per option
    dataset: str,
    uri: str,
    labeller: str | None,
    mode: str,
    repeats: int,
    limit: int | None,
    ambiguous: str,
    mask: bool,
    concurrency: int | None,
    out: Path | None,
    baselines: bool,
    prices: tuple[float, float, float] | None,
    as_json: bool,
) -> None:
    """Judge every row of DATASET and print scores with intervals.

    DATASET is a file in a known format (ATBench and its relatives, the normalised schema, chats, our own JSON), or one
    of the hub, hub:OWNER/NAME/PATH@REVISION. With --out, a run that was ended in the middle goes on where it was: what
    is kept is not asked again.
    """
    if labeller is not None and mode not in (Mode.END_TO_END, Mode.DIAGNOSIS_ONLY):
        raise UsageError(f"--diagnose-guard has no part in --mode {mode}; use end-to-end or diagnosis-only")
    found, cases = load(dataset, Taking(limit, Ambiguous(ambiguous), mask))
    judges = Judges(Mode(mode), factory.build(uri), factory.build(labeller) if labeller else None)
    limits = concurrency or at_once(uri)
    priced = Prices(prompt=prices[0], cached=prices[1], completion=prices[2]) if prices else None
    records, info = asyncio.run(_run(cases, judges, found, repeats=repeats, concurrency=limits, out=out, prices=priced))
    shortcuts = score_shortcuts(cases) if baselines else {}
    if out is not None:
        (out / BASELINES).write_bytes(msgspec.json.encode(shortcuts) + b"\n")
    result = report(records, info, shortcuts)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        show(Console(highlight=False), result)
    evaluated = any(row.prediction is not None for row in result.rows)
    raise SystemExit(FINE if evaluated or not result.rows else NOTHING_EVALUATED)


def at_once(uri: str) -> int:
    """How many rows to have in flight: a server's own limit, as its URI says; one for a guard in this process."""
    if not uri.startswith("server:"):
        return 1
    said = parse_qs(urlsplit(uri.removeprefix("server:")).query).get("concurrency", [])
    return int(said[0]) if said and said[0].isdigit() else ServerOptions().concurrency


async def _run(
    cases: list[Case],
    judges: Judges,
    data: DataInfo,
    *,
    repeats: int,
    concurrency: int,
    out: Path | None,
    prices: Prices | None,
) -> tuple[list[Record], RunInfo]:
    try:
        info = RunInfo(
            data=data,
            guard=judges.guard.info,
            asking=await _asking(judges.guard),
            labeller=judges.labeller.info if judges.labeller else None,
            labeller_asking=await _asking(judges.labeller) if judges.labeller else None,
            mode=judges.mode,
            repeats=repeats,
            concurrency=concurrency,
            prices=prices,
        )
        asked = [
            Asked(n, repeat, case)
            for repeat in range(repeats)
            for n, case in enumerate(cases)
            if judges.mode is not Mode.DIAGNOSIS_ONLY or case.label == 1
        ]
        if out is None:
            with _progress(len(asked), []) as done:
                return await judge_all(asked, judges, concurrency=concurrency, done=done), info
        return await _kept(asked, judges, info, out), info
    finally:
        await judges.close()


async def _kept(asked: list[Asked], judges: Judges, info: RunInfo, out: Path) -> list[Record]:
    """Asks for what the folder lacks; its records are all there are in the end."""
    ledger = Ledger(out, info)
    try:
        there = {(record.n, record.repeat) for record in ledger.records}
        missing = [one for one in asked if (one.n, one.repeat) not in there]
        with _progress(len(asked), ledger.records) as done:

            def keep(record: Record) -> None:
                ledger.add(record)
                done(record)

            await judge_all(missing, judges, concurrency=info.concurrency, done=keep)
        return sorted(ledger.records, key=lambda record: (record.repeat, record.n))
    finally:
        ledger.close()


async def _asking(guard: Guard) -> Asking:
    return Asking.of(guard.info, (await guard.health()).detail)


class _progress:  # noqa: N801 - a context manager, used as a function
    """A bar on standard error, so that standard output stays the result's; gives what to call with each record."""

    def __init__(self, total: int, there: list[Record]) -> None:
        self._bar = Progress(
            TextColumn("judging"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[score]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._counts: Counter[tuple[int | None, int | None]] = Counter()
        self._tokens = 0
        for record in there:
            self._count(record)
        self._task = self._bar.add_task("", total=total, completed=len(there), score="")

    def __enter__(self) -> Callable[[Record], None]:
        self._bar.start()
        return self._done

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def _count(self, record: Record) -> None:
        row = record.row()
        self._counts[row.label, row.prediction] += 1
        self._tokens += row.prompt_tokens + row.completion_tokens

    def _done(self, record: Record) -> None:
        self._count(record)
        self._bar.update(self._task, advance=1, score=self._score())

    def _score(self) -> str:
        c = self._counts
        scores = Confusion(tp=c[1, 1], fp=c[0, 1] + c[0, None], fn=c[1, 0] + c[1, None], tn=c[0, 0]).scores()
        missing = sum(count for (_, prediction), count in c.items() if prediction is None)
        speed = self._bar.tasks[0].finished_speed or self._bar.tasks[0].speed or 0.0
        return (
            f"{speed:.1f} rows/s, accuracy {percent(scores['accuracy'])}, F1 {percent(scores['f1'])}, "
            f"not evaluated {missing}" + (f", {self._tokens} tokens" if self._tokens else "")
        )
