"""``atbench score``: somebody else's answers, scored as a run of ours is."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from agentdog.base.stats import Interval
from atbench import predictions as answers
from atbench.data import load
from atbench.labels import LabelTable, label_tables
from atbench.metrics import AxisScore, Confusion, score_axes
from atbench.metrics import score as score_rows
from atbench.onset import Onset, find_onsets
from atbench.ranking import Ranking, rank


class Scored(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="atbench.score/1"):
    """Scores of a file of predictions; the four of the papers stand at the top, each with value, low and high.

    Attributes:
        rows: scored, those that were not parsed included.
        unparsed: of these, answers that could not be read; each counts as the wrong class.
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


@click.command()
@click.option("--predictions", type=click.Path(path_type=Path), required=True, help="One JSON object a line.")
@click.option("--dataset", help="The gold set; without it each prediction carries its label.")
def score(predictions: Path, dataset: str | None) -> None:
    """Score predictions that were made elsewhere; prints JSON.

    A line is {"id", "prediction": 0|1|null, "p_unsafe"?, "risk_source"?, "failure_mode"?, "real_world_harm"?,
    "unsafe_step"?, "raw"?, "label"?}.
    """
    cases = load(dataset)[1] if dataset else None
    rows = answers.to_rows(answers.read(predictions), cases)
    found = Scored(
        **score_rows(rows),
        rows=len(rows),
        unparsed=sum(row.prediction is None for row in rows),
        confusion=Confusion.of(rows)._asdict(),
        axes=score_axes(rows),
        labels=label_tables(rows),
        ranking=rank(rows),
        onset=find_onsets(rows) if any(row.flagged for row in rows) else None,
    )
    click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
