"""``agentdog calibrate``: a guard's threshold on the maximum over steps, from benign runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from agentdog.base.errors import UsageError
from agentdog.cli.common import emit, json_option
from agentdog.cli.output import Output
from agentdog.cli.remote import PATIENCE_S, client_at, plain, url_option
from agentdog.client import wording
from agentdog.client.shapes import Calibration


@click.command("calibrate")
@click.option("--project", help="Take benign runs stored in this project.")
@click.option("--benign", type=click.Choice(["approved", "all"]), default="approved", show_default=True,
              help="Which of them: approved by people, or all without a confirmed incident.")  # fmt: skip
@click.option("--from", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
              help="Take the safe rows of `atbench run … --mode every-step --out DIR`.")  # fmt: skip
@click.option("--false-alarm", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05,
              show_default=True, help="Share of benign runs that may alert.")  # fmt: skip
@url_option
@json_option
def command(
    project: str | None, benign: str, folder: Path | None, false_alarm: float, url: str | None, as_json: bool
) -> None:
    """Fit the threshold from which a guard's incidents alert where nobody tuned a project.

    Many verdicts per run are many chances to be wrong, so it is fitted on the highest P(unsafe) over all steps of
    benign runs. Without --project and --from the thresholds that were fitted here are listed.
    """
    if project is not None and folder is not None:
        raise UsageError("--project, --from: give one of them")
    with client_at(url, timeout=PATIENCE_S) as client:
        if project is None and folder is None:
            found = client.calibrations()
        elif folder is not None:
            found = [client.calibrate(false_alarm=false_alarm, **_scores(folder))]
        else:
            found = [client.calibrate(false_alarm=false_alarm, project=project, benign=benign)]
    if as_json:
        emit({"items": found})
    else:
        _print(found)


def _scores(folder: Path) -> dict[str, Any]:
    """The highest P(unsafe) of each safe row of a kept run, by group."""
    from atbench.ledger import load_info, load_records
    from atbench.record import Mode

    info = load_info(folder)
    if info.mode is not Mode.EVERY_STEP:
        raise UsageError(f"--from: {folder} was judged with --mode {info.mode}; the maximum needs --mode every-step")
    scores: dict[str, list[float]] = {}
    rows = [record.row() for record in load_records(folder) if record.repeat == 0 and record.label == 0]
    for row in rows:
        if row.p_unsafe is not None:
            scores.setdefault(row.group, []).append(row.p_unsafe)
    source = f"{len(rows)} safe rows of {info.data.name} (sha256 {info.data.sha256[:16]}), atbench every-step"
    return {"scores": scores, "guard": info.guard.fingerprint, "source": source}


def _print(found: list[Calibration]) -> None:
    console = Output()
    if not found:
        console.print("No threshold was fitted at this sidecar.", markup=False)
        return
    table = Table("guard", "alerts above", "benign runs that may alert", "groups", "from", "when", box=None)
    for each in found:
        time = wording.when(each["time"]) if "time" in each else ""
        shares = (f"{each['threshold']:.4g}", f"{each['false_alarm']:.1%}", str(each["groups"]))
        table.add_row(plain(each["guard"]), *shares, plain(each["source"]), time)
    console.print(table)
