"""``agentdog tune``: what each threshold would have alerted, and the choice of one. Steps are counted from 1."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from agentdog.base.errors import UsageError
from agentdog.cli.common import FINDING, FINE, NOTHING_EVALUATED, emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import PATIENCE_S, client_at, plain, url_option
from agentdog.client import wording
from agentdog.client.shapes import AlertState, Candidate, Replay

#: Thresholds that are shown around the chosen one; `--json` has all.
_SHOWN = 12
_BASIS = {
    "tuned": "chosen by people",
    "calibrated": "calibrated on benign runs: the highest P(unsafe) over all steps",
    "uncalibrated": "none: the guard is not calibrated",
}


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What ``--json`` prints: how alerts stand now, the replay, and whether anything was changed."""

    state: AlertState
    replay: Replay
    changed: bool


@click.command("tune")
@click.option("--project", required=True, help="Exact name.")
@click.option(
    "--max-alerts-per-day", type=click.FloatRange(min=0), help="Choose the lowest threshold that keeps to it."
)
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), help="Set this one instead.")
@click.option("--reset", is_flag=True, help="Go back to the guard's calibrated threshold.")
@click.option("--alerting", type=click.Choice(["observe", "on"]), help="Tell people (on), or only count (observe).")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Replay so many days back; else all.")
@click.option("--dry-run", is_flag=True, help="Show, and change nothing.")
@url_option
@json_option
def command(
    project: str,
    max_alerts_per_day: float | None,
    days: float | None,
    url: str | None,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - the options that decide
) -> None:
    """Replay stored verdicts: what would have alerted at each threshold; then set one.

    Without --max-alerts-per-day, --threshold, --reset or --alerting nothing is changed. A project begins in observe:
    a threshold alone never makes it tell anybody, --alerting on does.

    Exit code 0 when it is done, 1 when no threshold keeps to the budget, 3 when there is nothing to replay.
    """
    threshold, reset = asked["threshold"], asked["reset"]
    if sum((max_alerts_per_day is not None, threshold is not None, reset)) > 1:
        raise UsageError("--max-alerts-per-day, --threshold, --reset: each chooses a threshold; give one of them")
    with client_at(url, timeout=PATIENCE_S) as client:
        found = client.replay_alerts(project, days=days, max_alerts_per_day=max_alerts_per_day)
        decided = _decided(found, max_alerts_per_day, asked)
        changed = bool(decided) and not asked["dry_run"]
        state = client.tune(project, **decided) if changed else client.tuning(project)[0]
    if as_json:
        emit(Answer(state=state, replay=found, changed=changed))
    else:
        _print(state, found, changed)
    sys.exit(_exit_code(found, max_alerts_per_day))


def _decided(found: Replay, budget: float | None, asked: dict[str, Any]) -> dict[str, Any]:
    decided: dict[str, Any] = {"alerting": asked["alerting"]} if asked["alerting"] else {}
    if budget is not None and "chosen" in found and found["trajectories"]:
        decided |= {"alert_at": found["chosen"]["threshold"], "max_alerts_per_day": budget}
    elif asked["threshold"] is not None or asked["reset"]:
        decided |= {"alert_at": asked["threshold"]}
    return decided


def _exit_code(found: Replay, budget: float | None) -> int:
    if not found["trajectories"]:
        return NOTHING_EVALUATED
    return FINDING if budget is not None and "chosen" not in found else FINE


def _print(state: AlertState, found: Replay, changed: bool) -> None:
    console = Output()
    name, fingerprint = state["guard"]
    runs = wording.plural(found["trajectories"], "run")
    newest = ", the newest that are stored" if found.get("cut") else ""
    console.print(
        plain(f"Replayed {runs} of guard {name} ({fingerprint}) over {found['days']:g} days{newest}.", "bold")
    )
    if found["without_probability"]:
        console.print(plain(f"{found['without_probability']} incidents have no probability: they alert always."))
    if found["trajectories"]:
        console.print(_table(found))
    console.print()
    at = state.get("alert_from")
    console.print(plain(f"Threshold: {'-' if at is None else f'{at:g}'} ({_BASIS[state['basis']]})"))
    if state["alerting"] == "on":
        console.print(plain("Alerting: on; people are told."))
    else:
        mend = f"agentdog tune --project {state['project']} --alerting on"
        console.print(plain(f"Alerting: observed only; nobody is told until `{mend}`."))
    if "note" in state:
        console.print(plain(f"note: {state['note']}", "yellow"))
    console.print(plain("Set." if changed else "Nothing was changed.", "dim"))


def _table(found: Replay) -> Table:
    table = Table("threshold", "alerts", "runs", "per day", "would alert too, from here down", box=None)
    chosen = found.get("chosen")
    for candidate in _around(found["candidates"], chosen):
        mark = "→ " if chosen and candidate["threshold"] == chosen["threshold"] else "  "
        numbers = (candidate["alerts"], candidate["trajectories"], f"{candidate['per_day']:g}")
        table.add_row(f"{mark}{candidate['threshold']:g}", *map(str, numbers), _more(candidate))
    return table


def _around(candidates: list[Candidate], chosen: Candidate | None) -> list[Candidate]:
    at = candidates.index(chosen) if chosen else 0
    first = max(0, min(at - _SHOWN // 2, len(candidates) - _SHOWN))
    return candidates[first : first + _SHOWN]


def _more(candidate: Candidate) -> Text:
    alarms = candidate.get("more", [])
    if not alarms:
        return Text("")
    first = alarms[0]
    rest = f" (and {len(alarms) - 1} more)" if len(alarms) > 1 else ""
    return plain(f"{first['trajectory_id']}: {first['summary']}{rest}")
