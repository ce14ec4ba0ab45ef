"""``atbench scenarios``: how often an agent breaks the rules of a team's own tasks, by how they are told."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentdog.base.errors import UsageError
from agentdog.trajectory.formats import Case, native
from atbench.data import load
from atbench.job import Job, default_packs, evaluate
from atbench.ledger import DataInfo
from atbench.progress import Bar
from atbench.record import Mode
from atbench.report import Report
from atbench.scenarios.agents import SCHEMES
from atbench.scenarios.episode import Episode, Limits
from atbench.scenarios.pack import SHIPPED, Task, chosen
from atbench.scenarios.pack import load as load_pack
from atbench.scenarios.rates import Rates
from atbench.scenarios.result import Result, case_of, keep, recorded, result
from atbench.scenarios.stage import TRANSCRIPTS, Asked, Plan, perform
from atbench.show import number, percent, with_bounds

FINE, FOUND, NOTHING_EVALUATED = 0, 1, 3
HONEST = "honest"


class _Judge(NamedTuple):
    """The guard that is asked about every run, and how."""

    uri: str
    mode: Mode
    packs: Path
    out: Path | None


@click.command()
@click.argument("pack", default=SHIPPED)
@click.option("--agent", help=f"Who is put into the scenarios: {', '.join(SCHEMES)}.")
@click.option("--transcripts", help="Recorded runs instead of an agent: a data set whose rows say their variant.")
@click.option("--judge", "judge_uri", help="Guard that is asked about every run, as `agentdog judge` takes it.")
@click.option(
    "--mode",
    type=click.Choice([Mode.TRAJECTORY.value, Mode.EVERY_STEP.value]),
    default=Mode.TRAJECTORY.value,
    show_default=True,
    help="What the judge is asked.",
)
@click.option("--task", "names", multiple=True, help="Only this task; may be given several times.")
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="Runs per task and variant.")
@click.option("--max-turns", type=click.IntRange(min=1), default=30, show_default=True, help="Agent turns per run.")
@click.option("--timeout", type=click.FloatRange(min=1), default=600, show_default=True, help="Seconds per run.")
@click.option("--concurrency", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at once.")
@click.option("--packs", type=click.Path(path_type=Path, file_okay=False), help="Your pack folder, for the judge.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to keep every run in; resumes.")
@click.option("--max-violations", type=click.FloatRange(0, 1), help="Exit with 1 when a variant's rate is above it.")
@click.option("--self-test", is_flag=True, help="Play the pack's own scripts: honest ones must pass, all others fail.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")
def scenarios(  # noqa: PLR0913, PLR0917 - one parameter per option
    pack: str,
    agent: str | None,
    transcripts: str | None,
    judge_uri: str | None,
    mode: str,
    names: tuple[str, ...],
    repeats: int,
    max_turns: int,
    timeout: float,
    concurrency: int,
    packs: Path | None,
    out: Path | None,
    max_violations: float | None,
    self_test: bool,
    as_json: bool,
) -> None:
    """Put an agent into the scenarios of PACK and report how often it breaks their rules.

    PACK is a YAML file of yours or the shipped kpi-pressure. Each task is told in several ways (mandated: the figure is
    ordered; incentivised: it is rewarded) and played in a folder of its own. The pack's checks look at what was done;
    --judge asks a guard too. With --transcripts nothing is played: recorded runs are judged, and counted by the set's
    own labels where it has some.
    """
    if self_test:
        raise SystemExit(_self_test(pack, names))
    if (agent is None) == (transcripts is None):
        raise UsageError("give either --agent or --transcripts; --self-test tries the pack without an agent")
    judge = _Judge(judge_uri, Mode(mode), packs or default_packs(), out) if judge_uri else None
    if agent is not None:
        limits = Limits(turns=max_turns, seconds=timeout)
        found = _played(pack, agent, judge, limits, names, Plan((), repeats, concurrency, out))
    else:
        assert transcripts is not None  # noqa: S101 - one of both is given
        data, cases = recorded(transcripts)
        if judge is None and all(case.label is None for case in cases):
            raise UsageError("the recorded runs carry no label; name a guard with --judge")
        found = result((data.name, data.sha256, None), cases, _judged(data, cases, judge))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        keep(out, found)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show(Console(highlight=False), found)
    raise SystemExit(_code(found, max_violations))


def _played(place: str, agent: str, judge: _Judge | None, limits: Limits, names: tuple[str, ...], plan: Plan) -> Result:
    pack, sha256 = load_pack(place)
    plan = plan._replace(tasks=chosen(pack, names))
    asked = Asked(pack=pack.name, pack_sha256=sha256, agent=agent, limits=limits)
    err = Console(stderr=True)
    with err.status("") as status:
        done: list[Episode] = []

        def told(episode: Episode) -> None:
            done.append(episode)
            status.update(Text(f"{len(done)} runs, {sum(bool(e.violations) for e in done)} violations"))

        episodes = asyncio.run(perform(plan, asked, told))
    cases = [case_of(episode, pack.name) for episode in episodes]
    with tempfile.TemporaryDirectory() as folder:
        path = (plan.out or Path(folder)) / TRANSCRIPTS
        native.write(path, cases)
        data, kept = load(str(path))
        data = msgspec.structs.replace(data, warning=None)  # just played: that they are no published set is no warning
        return result((pack.name, sha256, agent), cases, _judged(data, kept, judge), episodes)


def _judged(data: DataInfo, cases: Sequence[Case], judge: _Judge | None) -> Report | None:
    if judge is None:
        return None
    out = judge.out / "judged" if judge.out else None
    return evaluate(
        data, cases, Job(guard=judge.uri, mode=judge.mode, out=out, packs=judge.packs, baselines=False), Bar
    )


def _self_test(place: str, names: tuple[str, ...]) -> int:
    """Plays every script of every task: `honest` must break no rule and bring the task about, others must break one."""
    pack, _ = load_pack(place)
    code = FINE
    for task in chosen(pack, names):
        if HONEST not in task.plays or len(task.plays) == 1:
            click.echo(f"FAIL  {task.id}: plays need {HONEST!r} and one that breaks a rule")
            code = FOUND
        for name in task.plays:
            code = max(code, _tried(pack.name, task, name))
    return code


def _tried(pack: str, task: Task, name: str) -> int:
    asked = Asked(pack=pack, pack_sha256="", agent=f"play:{name}", limits=Limits())
    code = FINE
    for one in asyncio.run(perform(Plan([task], 1, 1, None), asked, lambda _: None)):
        fine = (one.label == 0 and one.done is not False) if name == HONEST else one.label == 1
        code = code if fine else FOUND
        what = "; ".join(one.violations) or ("no rule broken" + ("" if one.done is not False else ", task not done"))
        click.echo(f"{'pass' if fine else 'FAIL'}  {one.task} {one.variant} {name}: {what}")
    return code


def _code(found: Result, most: float | None) -> int:
    rates = found.headline
    held = [one.rate.value for one in rates.variants.values() if one.rate.value is not None] if rates else []
    if not held:
        return NOTHING_EVALUATED
    return FOUND if most is not None and max(held) > most else FINE


def show(console: Console, found: Result) -> None:
    """Prints a result for people."""
    who = f"agent {found.agent}" if found.agent else "recorded runs"
    console.print(Text(f"{found.pack}: {found.tasks} tasks, {who}", style="bold"))
    for name, rates in found.by.items():
        console.print(_table(name, rates, found))
        for other, difference in rates.difference.items():
            told = (
                f"{other} minus {rates.reference}: {with_bounds(difference)} points, {rates.paired[other]} tasks paired"
            )
            console.print(Text(told))
    if found.judge is not None:
        scores = ", ".join(f"{score} {with_bounds(interval)}" for score, interval in found.judge.items())
        console.print(Text(f"the guard against the {next(iter(found.by))}: {scores}"))
    if found.severity is not None:
        rho, rows = found.severity.spearman, found.severity.rows
        bounds = f"{number(rho.value)} ({number(rho.low)} … {number(rho.high)})"
        console.print(Text(f"the guard against the set's severity: Spearman {bounds} over {rows} rows"))
    for text in (*(f"an agent failed: {error}" for error in found.errors), *(f"note: {c}" for c in found.caveats)):
        console.print(Text(text, style="dim"))


def _table(name: str, rates: Rates, found: Result) -> Table:
    table = Table(title=Text(f"Violations by {name}"), title_justify="left")
    done = bool(found.completion) and name == next(iter(found.by))
    for column in (
        "variant",
        "runs",
        "evaluated",
        "violations",
        "rate and 95 % interval",
        *(("done",) if done else ()),
    ):
        table.add_column(column, no_wrap=True)
    for variant, rate in rates.variants.items():
        cells = [variant, str(rate.runs), str(rate.evaluated), str(rate.violations), with_bounds(rate.rate)]
        table.add_row(*cells, *((percent(found.completion.get(variant)),) if done else ()))
    return table
