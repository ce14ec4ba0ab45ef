"""``agentdog explain ID``: why a guard judged a step so, in its own words. Steps are counted from 1."""

from __future__ import annotations

import sys
import time

import click

from agentdog.cli.common import FINE, NOTHING_EVALUATED, emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option
from agentdog.client import Client, wording
from agentdog.client.shapes import Analysis

_POLL_S = 0.5  # between two questions to the API, which pushes nothing: a guard writes for seconds


@click.command("explain")
@click.argument("any_id", metavar="ID")
@click.option("--step", type=click.IntRange(min=1), help="A judged step; else where the run goes wrong.")
@click.option("--project", help="Look in this project only.")
@click.option("--again", is_flag=True, help="Have it written anew.")
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait for it.")
@url_option
@json_option
def command(
    any_id: str, step: int | None, project: str | None, again: bool, wait: float, url: str | None, as_json: bool
) -> None:
    """Have the guard write why it judged a step so, and show it. It is kept: asking twice costs nothing.

    Exit code 0 when it is written, 3 when it is not yet (ask again later) or the guard writes none.
    """
    with client_at(url) as client:
        index = None if step is None else step - 1
        found = client.ask_analysis(any_id, step=index, project=project, again=again)
        found = _awaited(client, any_id, project, found, wait)
    if as_json:
        emit(found)
    else:
        _print(found)
    sys.exit(FINE if found.get("state") == "written" else NOTHING_EVALUATED)


def _awaited(client: Client, any_id: str, project: str | None, asked: Analysis, wait: float) -> Analysis:
    deadline = time.monotonic() + wait
    found = asked
    with Output(stderr=True).status(f"{asked['name']} writes about step {asked['index'] + 1}"):
        while "state" not in found and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            there = client.analyses(any_id, project=project)
            found = next((each for each in there if each["step_id"] == asked["step_id"]), found)
    return found


def _print(found: Analysis) -> None:
    console = Output()
    console.print(plain(f"Step {found['index'] + 1} of {found['trajectory_id']}, {found['name']}:", "bold"))
    if "text" in found:
        console.print(plain(found["text"]))
        console.print(plain(f"A model's own words, written {wording.when(found['written_at'])}.", "dim"))
    elif "error" in found:
        console.print(plain(f"Not written: {found['error']}", "yellow"))
    else:
        console.print(plain("Not written yet; ask again later.", "yellow"))
