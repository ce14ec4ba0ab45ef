"""``agentdog judge``: a file of trajectories in, diagnoses out; no server, no store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

import taxonomy
from agentdog.cli import trying
from agentdog.cli.changing import print_remedy
from agentdog.cli.common import FINDING, FINE, NOTHING_EVALUATED, emit, json_option, pack_option
from agentdog.cli.output import Output
from agentdog.cli.sources import gather
from agentdog.client.shapes import Remedy
from agentdog.diagnosis import Diagnosis, Incident
from agentdog.diagnosis.engine import diagnose
from agentdog.guards import Guard, Outcome, Verdict, factory
from agentdog.policy import propose
from agentdog.service.settings import load_settings
from agentdog.spans import reconstruct
from agentdog.trajectory import Step, Trajectory, title

_STYLES = {Outcome.SAFE: "green", Outcome.UNSAFE: "bold red", Outcome.NOT_EVALUATED: "yellow"}
_QUOTE = 64  # characters of a quotation that are shown
_NARROWEST = 20  # characters of a step that are shown even where the terminal has no room for them


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--guard",
    "uri",
    default="embedded",
    show_default=True,
    help="Guard: embedded, or server:http://HOST/v1?model=NAME.",
)
@click.option(
    "--policy",
    "rules",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="For regression cases: the rules that may stop them; the settings' own.",
)
@pack_option
@json_option
def command(path: Path, uri: str, pack: str | None, rules: Path | None, as_json: bool) -> None:
    """Judge every trajectory in PATH: which step went wrong, where from, how, what harm.

    PATH is a file, or a folder of them: recorded OTLP payloads, another tool's export, or transcripts (our own JSON,
    chat messages, Claude Code, Codex, ATIF, ATBench and its relatives). Exit code 1 when a trajectory is unsafe, 3 when
    none could be evaluated. PATH may also be a regression case, by its file or its name (`agentdog case`): then the
    code is 1 until it is mended.
    """
    cases = trying.cases_of(path)
    trajectories = [case.trajectory for case in cases] or read(path)
    guard = factory.build(factory.with_pack(uri, pack), load_settings().data / factory.PACKS_FOLDER)
    diagnoses = asyncio.run(_diagnose(trajectories, guard))
    if cases:
        tried = trying.attempts(cases, diagnoses, trying.rules(rules))
        emit(tried) if as_json else trying.print_attempts(tried)
        raise SystemExit(trying.code(tried))
    if as_json:
        emit(diagnoses)
    else:
        console = Output(highlight=False)
        console.print(Text(f"guard {guard.info.name} ({guard.info.uri})", style="dim"))
        if guard.info.pack:
            told = f"pack {guard.info.pack}, {guard.info.wording} wording; layout {guard.info.layout}"
            console.print(Text(told, style="dim"))
        if guard.info.note:
            console.print(Text(guard.info.note, style="dim"))
        for trajectory, diagnosis in zip(trajectories, diagnoses, strict=True):
            show(console, trajectory, diagnosis)
            for remedy in propose(trajectory, diagnosis):
                print_remedy(console, cast("Remedy", msgspec.to_builtins(remedy)))
    raise SystemExit(exit_code(diagnoses))


def read(path: Path) -> list[Trajectory]:
    """Reads trajectories from any file or folder that `agentdog import` reads, told by content.

    Raises:
        NotFoundError: when there is no such file.
        DecodeError: when it is in no known format, or does not fit the one that it claims to be in.
    """
    sources = gather([path])
    sources.raise_first()
    return [*reconstruct(sources.records), *(t for found in sources.found for t in found.trajectories)]


async def _diagnose(trajectories: Sequence[Trajectory], guard: Guard) -> list[Diagnosis]:
    try:
        return [await diagnose(trajectory, guard) for trajectory in trajectories]
    finally:
        await guard.close()


def exit_code(diagnoses: Sequence[Diagnosis]) -> int:
    """1 when any trajectory is unsafe; 3 when no step of any could be evaluated; else 0."""
    if any(diagnosis.verdict is Outcome.UNSAFE for diagnosis in diagnoses):
        return FINDING
    outcomes = [step.verdict.outcome for diagnosis in diagnoses for step in diagnosis.steps]
    return FINE if any(outcome is not Outcome.NOT_EVALUATED for outcome in outcomes) else NOTHING_EVALUATED


def show(console: Console, trajectory: Trajectory, diagnosis: Diagnosis) -> None:
    """Prints one diagnosis; everything from the trajectory is printed as text, never as markup."""
    console.print()
    heading = Text(title(trajectory), style="bold")
    heading.append(f"  {diagnosis.verdict.replace('_', ' ')}", style=_STYLES[diagnosis.verdict])
    console.print(heading)
    verdicts = {step.index: step.verdict for step in diagnosis.steps}
    onsets = {incident.onset for incident in diagnosis.incidents}
    fixed = ("step", "environment", "P(unsafe)", "not evaluated")
    room = max(_NARROWEST, console.width - sum(len(text) + 2 for text in fixed))
    table = Table(box=None, pad_edge=False)
    table.add_column("step", justify="right", min_width=len("step"))
    table.add_column("who", min_width=len("environment"))
    table.add_column("what", max_width=room, no_wrap=True)
    table.add_column("P(unsafe)", justify="right", min_width=len("P(unsafe)"))
    table.add_column("verdict", min_width=len("not evaluated"))
    for step in trajectory.steps:
        verdict = verdicts.get(step.index)
        mark = "▶ " if step.index in onsets else ""
        table.add_row(
            f"{mark}{step.index + 1}", step.role, _summary(step, room), _probability(verdict), _verdict(verdict)
        )
    console.print(table)
    for why in dict.fromkeys(f"{v.reason}: {v.detail}" for v in verdicts.values() if v.reason):
        console.print(Text(_clean(why).replace("_", " ", 1), style="yellow"))
    for incident in diagnosis.incidents:
        _show_incident(console, incident)


def _show_incident(console: Console, incident: Incident) -> None:
    console.print(Text(f"incident at step {incident.onset + 1}: {_clean(incident.summary)}", style="red"))
    table = taxonomy.load("all")
    for axis in table.axes:
        label = getattr(incident.labels, axis.id)
        console.print(Text(f"  {axis.question:5}  {table.name(label) if label else 'not said'}"))
    for evidence in incident.evidence:
        quote = f": “{_cut(evidence.quote, _QUOTE)}”" if evidence.quote else ""
        console.print(Text(f"  step {evidence.step + 1}  {_clean(evidence.message)}{quote}", style="dim"))


def _summary(step: Step, room: int) -> Text:
    calls = ", ".join(f"{call.name}({', '.join(call.arguments)})" for call in step.tool_calls)
    return Text(_cut(calls or step.text or (f"not recorded: {', '.join(step.missing)}" if step.missing else ""), room))


def _probability(verdict: Verdict | None) -> str:
    return "" if verdict is None or verdict.p_unsafe is None else f"{verdict.p_unsafe:.3f}"


def _verdict(verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text("")
    return Text(verdict.outcome.replace("_", " "), style=_STYLES[verdict.outcome])


def _cut(text: str, room: int) -> str:
    line = _clean(text)
    return line if len(line) <= room else line[: room - 1] + "…"


def _clean(text: str) -> str:
    """One line without control characters: an escape sequence in a trajectory must not reach the terminal."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
