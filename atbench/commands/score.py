"""``atbench score``: somebody else's answers, scored as a run of ours is."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from agentdog.base.errors import UsageError
from agentdog.base.stats import Interval
from atbench import predictions as answers
from atbench.data import load
from atbench.labels import LabelTable, label_tables
from atbench.ledger import BASELINES
from atbench.metrics import AxisScore, Confusion, score_axes
from atbench.metrics import score as score_rows
from atbench.onset import Onset, find_onsets
from atbench.ranking import Ranking, rank
from atbench.report import score_shortcuts

FINE, NOTHING_EVALUATED = 0, 3


class Scored(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="atbench.score/1"):
    """Scores of a file of predictions; the four of the papers stand at the top, each with value, low and high.

    Attributes:
        rows: scored, those that were not parsed included.
        unparsed: of these, answers that could not be read; each counts as the wrong class.
        baselines: the same scores of shortcuts that judge nothing, where the rows are given.
    """

    accuracy: Interval
    precision: Interval
    recall: Interval
    f1: Interval
    rows: int
    unparsed: int
    confusion: dict[str, int]
    axes: dict[str, AxisScore]
    labels: dict[str, LabelTable]
    ranking: Ranking | None
    onset: Onset | None
    baselines: dict[str, dict[str, Interval]]


@click.command()
@click.option("--predictions", type=click.Path(path_type=Path), required=True, help="One JSON object a line.")
@click.option("--dataset", help="The gold set; without it each prediction carries its label.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep them as a run too, for `atbench compare`, `report` and `gate`; needs --dataset.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, which is what is printed anyway.")
def score(predictions: Path, dataset: str | None, out: Path | None, as_json: bool) -> None:
    """Score predictions that were made elsewhere; prints JSON. Exits with 3 when none could be read.

    A line is {"id", "prediction": 0|1|null, "p_unsafe"?, "risk_source"?, "failure_mode"?, "real_world_harm"?,
    "unsafe_step"?, "raw"?, "label"?}.
    """
    if out is not None and dataset is None:
        raise UsageError("--out keeps the answers beside their rows; name these with --dataset")
    held = load(dataset) if dataset else None
    cases = held[1] if held else None
    given = answers.read(predictions)
    rows = answers.to_rows(given, cases)
    found = Scored(
        **score_rows(rows),
        rows=len(rows),
        unparsed=sum(row.prediction is None for row in rows),
        confusion=Confusion.of(rows)._asdict(),
        axes=score_axes(rows),
        labels=label_tables(rows),
        ranking=rank(rows),
        onset=find_onsets(rows) if any(row.flagged for row in rows) else None,
        baselines=score_shortcuts(cases) if cases else {},
    )
    if out is not None and held is not None:
        answers.to_folder(out, predictions, given, held)
        (out / BASELINES).write_bytes(msgspec.json.encode(found.baselines) + b"\n")
    click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    raise SystemExit(FINE if found.unparsed < found.rows or not rows else NOTHING_EVALUATED)
