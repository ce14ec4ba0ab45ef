"""``agentdog show ID``: one run with its diagnosis, in the terminal. Steps are counted from 1."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agentdog.cli.changing import print_remedy
from agentdog.cli.common import FINDING, FINE, NOTHING_EVALUATED, emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import client_at, plain, url_option, verdict_text
from agentdog.client import Client, wording
from agentdog.client.shapes import Evidence, Incident, Step, Stored, Taxonomy, Verdict

_FOLD = 240
_EXIT = {"unsafe": FINDING, "safe": FINE, "not_evaluated": NOTHING_EVALUATED, "pending": NOTHING_EVALUATED}


@click.command("show")
@click.argument("any_id", metavar="ID")
@click.option("--project", help="Look in this project only.")
@click.option("--full", is_flag=True, help="Print long texts whole.")
@url_option
@json_option
def command(any_id: str, project: str | None, full: bool, url: str | None, as_json: bool) -> None:
    """Show one stored run by its id, or by any trace, span, session or tool-call id in it.

    Exit code 0 when it is safe, 1 when it is unsafe, 3 when it was not evaluated or not yet, 2 when there is none.
    """
    with client_at(url) as client:
        stored = client.trajectory(any_id, project=project)
        if as_json:
            emit(stored)
        else:
            _print(stored, client.taxonomy("all"), full)
            if stored.get("diagnosis", {}).get("incidents"):
                _print_remedies(client, stored)
    sys.exit(_EXIT[stored["summary"]["verdict"]])


def _print(stored: Stored, taxonomy: Taxonomy, full: bool) -> None:
    console = Output()
    summary, diagnosis = stored["summary"], stored.get("diagnosis")
    console.print(verdict_text(summary["verdict"], summary.get("p_unsafe")), plain(summary["title"], "bold"))
    state = wording.COMPLETION_WORDS.get(summary["completion"], summary["completion"])
    facts = (
        summary["id"],
        summary["project"],
        wording.when(summary["start_time"]),
        wording.plural(summary["steps"], "step"),
        state,
    )
    console.print(plain(" · ".join(facts), "dim"))
    for incident in diagnosis.get("incidents", []) if diagnosis else []:
        _incident(console, incident, taxonomy)
    verdicts = {s["index"]: s["verdict"] for s in diagnosis.get("steps", [])} if diagnosis else {}
    console.print()
    for step in stored["trajectory"]["steps"]:
        _step(console, step, verdicts.get(step["index"]), full)
    if diagnosis:
        guard = diagnosis["guard"]
        words = f"Judged by {guard['name']} ({guard['fingerprint']}). {guard.get('note', '')}"
        console.print(plain(words.rstrip(), "dim"))


def _print_remedies(client: Client, stored: Stored) -> None:
    """Every diagnosis ends in what to change."""
    console, summary = Output(), stored["summary"]
    for remedy in client.remedies(summary["id"], project=summary["project"])["remedies"]:
        console.print()
        print_remedy(console, remedy)
        console.print(plain(f"  agentdog fix {summary['id']}: the hook; --apply puts the rule in force", "dim"))


def _incident(console: Console, incident: Incident, taxonomy: Taxonomy) -> None:
    source = incident.get("source_step")
    came = f", came in at step {source + 1}" if source is not None else ""
    console.print()
    console.print(Text(f"▲ Goes wrong at step {incident['onset'] + 1}{came}", style="bold red"))
    console.print(plain(incident["summary"]))
    grid = Table.grid(padding=(0, 2))
    for axis in taxonomy["axes"]:
        name = wording.label_name(taxonomy, axis["id"], incident["labels"].get(axis["id"]))
        grid.add_row(Text(axis["question"], style="bold"), plain(name or "not said"))
    console.print(_indented(grid, 2))
    for item in incident.get("evidence", []):
        _evidence(console, item)


def _evidence(console: Console, item: Evidence) -> None:
    source = item.get("source_step")
    origin = f" from step {source + 1}" if source is not None else ""
    console.print(_indented(plain(f"• {item['message']} [step {item['step'] + 1}{origin}]"), 2))
    if item.get("quote"):
        console.print(_indented(plain(f"“{_short(item['quote'], False)}”", "italic"), 4))


def _step(console: Console, step: Step, verdict: Verdict | None, full: bool) -> None:
    head = Text(f"{step['index'] + 1:>3}  ")
    head.append(wording.ROLE_WORDS[step["role"]], style="bold")
    who = step.get("name") if step["role"] == "environment" else step.get("agent")
    if who:
        head.append(" ").append_text(plain(who, "dim"))
    head.append("  ").append_text(
        verdict_text(verdict["outcome"], verdict.get("p_unsafe")) if verdict else verdict_text("none")
    )
    if verdict and verdict.get("reason"):
        head.append_text(plain(f" ({verdict['reason']}: {verdict.get('detail', '')})", "yellow"))
    console.print(head)
    for text in (step.get("reasoning"), step.get("thought"), step.get("content"), step.get("tool_result")):
        if text:
            console.print(_indented(plain(_short(text, full)), 5))
    for call in step.get("tool_calls", []):
        arguments = call.get("arguments_raw") or json.dumps(call["arguments"], ensure_ascii=False)
        console.print(_indented(plain(_short(f"→ {call['name']} {arguments}", full)), 5))
    if step.get("error"):
        console.print(_indented(plain(f"error: {step['error']}", "red"), 5))


def _short(text: str, full: bool) -> str:
    if full or len(text) <= _FOLD:
        return text
    return f"{text[:_FOLD].rstrip()} … ({len(text):,} characters; --full prints them)"


def _indented(what: RenderableType, columns: int) -> Padding:
    return Padding(what, (0, 0, 0, columns), expand=False)
