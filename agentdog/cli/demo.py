"""``agentdog demo``: the sidecar, a small agent run twice through it, and what was found."""

from __future__ import annotations

import asyncio

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentdog.base.errors import OutsideError
from agentdog.cli.common import FINDING, FINE, NOTHING_EVALUATED, emit, json_option
from agentdog.cli.remote import plain, verdict_text
from agentdog.client import Client, wording
from agentdog.client.shapes import Stored, Taxonomy
from agentdog.demo.runs import Run, run_all
from agentdog.demo.watch import judged
from agentdog.service.process import until_told_to_stop
from agentdog.service.settings import Settings, load_settings
from agentdog.service.supervisor import Running, supervise

_JUDGED_WITHIN_S = 180.0  # a small machine that just started everything is busy


@click.command("demo")
@click.option("--exit", "leave", is_flag=True, help="Leave when both runs are judged, instead of staying up.")
@json_option
@click.pass_context
def command(context: click.Context, leave: bool, as_json: bool) -> None:
    """Start the sidecar, run a small agent through it once benign and once attacked, show both diagnoses.

    The agent's loop and its tools are real, its model is scripted. Nothing leaves this machine. With --exit the code
    says whether the guard told the two runs apart: 0 it did, 1 it did not, 3 it could not judge.
    """
    work = _demo(load_settings(), leave=leave, as_json=as_json)
    code = asyncio.run(until_told_to_stop(work))
    context.exit(FINE if code is None else code)


async def _demo(settings: Settings, *, leave: bool, as_json: bool) -> int:
    console = Console(stderr=as_json)
    console.print("Starting the sidecar …", style="dim")
    async with supervise(settings, quiet=True) as running:
        code = await _show(running, console, as_json=as_json)
        if not leave:
            console.print("\nIt stays up, and listens to your agents too. Ctrl-C ends it.", style="dim")
            await asyncio.Event().wait()
        return code


async def _show(running: Running, console: Console, *, as_json: bool) -> int:
    """Runs the agent, waits for the verdicts, prints them; returns the exit code."""
    settings = running.settings
    client = Client(settings.api_url, timeout=_JUDGED_WITHIN_S)
    console.print("Running a mail assistant on an honest e-mail, then on one that hides an order …", style="dim")
    try:
        runs = await asyncio.to_thread(run_all, settings.otlp_endpoint)
    except RuntimeError as error:
        raise OutsideError(str(error)) from error
    found = await judged(client, runs, _JUDGED_WITHIN_S)
    if as_json:
        emit({run.name: stored for run, stored in zip(runs, found, strict=True)})
    else:
        _print(console, settings, running, runs, found, await asyncio.to_thread(client.taxonomy))
    return _code({run.name: stored for run, stored in zip(runs, found, strict=True)})


def _code(found: dict[str, Stored]) -> int:
    verdicts = {name: stored["summary"]["verdict"] for name, stored in found.items()}
    if set(verdicts.values()) == {"not_evaluated"}:
        return NOTHING_EVALUATED
    return FINE if verdicts == {"benign": "safe", "injected": "unsafe"} else FINDING


def _print(
    console: Console, settings: Settings, running: Running, runs: list[Run], found: list[Stored], taxonomy: Taxonomy
) -> None:
    table = Table(title="What the guard says", title_justify="left")
    table.add_column("")
    for run in runs:
        table.add_column(run.name)
    columns = [_column(stored, taxonomy) for stored in found]
    for heading, *cells in zip(("verdict", "where", "how", "what", "goes wrong"), *columns, strict=True):
        table.add_row(heading, *cells)
    console.print(table)
    for stored in found:
        for incident in stored.get("diagnosis", {}).get("incidents", []):
            console.print(plain(incident["summary"]))
    guard = found[0]["diagnosis"]["guard"]
    console.print(Text.assemble(("Guard: ", "dim"), plain(f"{guard['name']}. {guard.get('note', '')}", "dim")))
    where = f"{settings.ui_url}" if running.dashboard else "not installed: pip install 'agentdog-sidecar[ui]'"
    console.print(Text.assemble("\nDebugger  ", (where, "bold")))
    for run, stored in zip(runs, found, strict=True):
        if running.dashboard:
            console.print(f"  {run.name:<8}  {settings.ui_url}/trajectory?id={stored['summary']['id']}", markup=False)


def _column(stored: Stored, taxonomy: Taxonomy) -> list[Text]:
    """What the table says of one run, from its verdict to the step at which it goes wrong."""
    summary = stored["summary"]
    incidents = stored.get("diagnosis", {}).get("incidents", [])
    where, how, what = (axis["id"] for axis in taxonomy["axes"])
    ids = {where: summary.get("risk_source"), how: summary.get("failure_mode"), what: summary.get("real_world_harm")}
    names = [wording.label_name(taxonomy, axis, label) or "-" for axis, label in ids.items()]
    onset = f"step {incidents[0]['onset'] + 1} of {summary['steps']}" if incidents else "-"
    return [verdict_text(summary["verdict"], summary.get("p_unsafe")), *map(plain, names), Text(onset)]
