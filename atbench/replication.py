"""Whether a published row comes out again: what its condition asks for, what was found, and what is remembered of it.

Invariant: a row is replicated only by a run of its own condition with its own weights; until one is recorded every
report says *not replicated*. What a paper leaves open, and what cannot be checked here, stands in the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from agentdog.base.errors import DecodeError
from agentdog.base.stats import Interval
from agentdog.guards import Health
from agentdog.guards.checkpoints import checkpoints
from agentdog.trajectory.formats import Case
from atbench.job import default_packs
from atbench.ledger import DataInfo, Machine
from atbench.published import SCORES, Anchor, plain
from atbench.report import Report

TOLERANCE = 1.0  # points
RECORDS = "replications.jsonl"
NOT_REPLICATED = "not replicated"
_OFFICIAL = "https://github.com/AI45Lab/AgentDoG"


class Lack(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a row's condition asks for and that is not at hand, with what mends it."""

    what: Literal["condition", "data", "wording", "weights"]
    why: str
    remedy: str


class AtHand(NamedTuple):
    """What there is to run a row with.

    Attributes:
        data: the rows, with what is known of them; ``None`` when they could not be read.
        words: fingerprint of the prompt in use; ``None`` without a guard.
        guard: name of the model that is asked; ``None`` when it could not be built.
        health: what it said.
    """

    data: DataInfo | None
    cases: Sequence[Case]
    words: str | None
    guard: str | None
    health: Health | None


class Replication(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="atbench.replication/1"):
    """One run of a published row's condition.

    Attributes:
        row: the row's id; `source` where it is printed.
        outcome: ``replicated`` when every printed score is within `tolerance` points of ours, else ``apart``.
        exact: every score prints to the same digit.
        published: as printed, in per cent; `ours` as shares with 95 % intervals; `points` ours minus published.
        rows: judged; `not_evaluated` of these counted as the wrong class.
        open: what the paper leaves open or could not be checked here.
        data: name and SHA-256 of the file; `words` fingerprint of the prompt; `guard` name and fingerprint.
    """

    row: str
    source: str
    outcome: Literal["replicated", "apart"]
    exact: bool
    tolerance: float
    published: dict[str, str]
    ours: dict[str, Interval]
    points: dict[str, float | None]
    rows: int
    not_evaluated: int
    open: tuple[str, ...]
    data: str
    data_sha256: str
    words: str | None
    guard: str
    guard_fingerprint: str
    machine: Machine
    date: str

    def told(self) -> str:
        """One line for people."""
        apart = max((abs(point) for point in self.points.values() if point is not None), default=0.0)
        word = "to the digit" if self.exact else f"within {apart:.1f} points"
        if self.outcome == "apart":
            return f"run on {self.date}: apart by {apart:.1f} points"
        return f"replicated on {self.date}, {word}"


def lacks(anchor: Anchor, there: AtHand) -> list[Lack]:
    """Names everything that is missing for a row, not the first of it only."""
    condition = anchor.condition
    if condition is None or anchor.weights is None:
        why = f"{anchor.source} does not say how {anchor.model} was asked, or its weights are not public"
        return [
            Lack(what="condition", why=why, remedy="score answers of your own with `atbench run` or `atbench score`")
        ]
    return [found for found in (_data(anchor, there), _wording(anchor, there.words), _weights(anchor, there)) if found]


def _data(anchor: Anchor, there: AtHand) -> Lack | None:
    balance = "" if anchor.unsafe is None else f", {anchor.unsafe} of them unsafe"
    remedy = f"name the published file with --dataset: {anchor.place}"
    if there.data is None:
        return Lack(what="data", why=f"the {anchor.rows} rows of {anchor.set} are not here", remedy=remedy)
    unsafe = sum(case.label == 1 for case in there.cases)
    if there.data.rows == anchor.rows and anchor.unsafe in (None, unsafe):
        return None
    why = (
        f"{there.data.name} holds {there.data.rows} rows, {unsafe} of them unsafe; {anchor.set} as published "
        f"has {anchor.rows}{balance}"
    )
    return Lack(what="data", why=why, remedy=remedy)


def _wording(anchor: Anchor, words: str | None) -> Lack | None:
    condition = anchor.condition
    if condition is None or words is None or not condition.words or words in condition.words:
        return None
    if condition.wording.startswith("prompts/"):
        remedy = f"agentdog packs add {_OFFICIAL}"
    else:
        remedy = (
            "copy the prompt of the paper into a text file, with {trajectory} where the run goes and {categories} "
            "where the lists of labels go, and name it with --wording"
        )
    return Lack(what="wording", why=f"the prompt is not in the words of {condition.wording}", remedy=remedy)


def _weights(anchor: Anchor, there: AtHand) -> Lack | None:
    serve = next((known.serve for known in checkpoints() if known.id == anchor.weights), f"vllm serve {anchor.weights}")
    remedy = f"{serve}; then --guard 'server:http://127.0.0.1:8000/v1?model={anchor.weights}'"
    if there.health is None or not there.health.ok:
        why = f"no guard with {anchor.weights} answers" + (f": {there.health.detail}" if there.health else "")
        return Lack(what="weights", why=why, remedy=remedy)
    wanted = plain((anchor.weights or "").rpartition("/")[2])
    if wanted not in plain(there.guard or "") and wanted not in plain(there.health.detail):
        why = f"the guard asks {there.guard}, which is not named {anchor.weights}"
        return Lack(what="weights", why=why, remedy=remedy)
    return None


def compare(anchor: Anchor, found: Report, *, tolerance: float = TOLERANCE) -> Replication:
    """Puts a run of a row's condition beside what is printed."""
    ours = (
        {name: found.metrics[name] for name in anchor.scores}
        if anchor.part == "scores"
        else {axis: found.axes[axis].named for axis in anchor.scores if axis in found.axes}
    )
    printed = anchor.printed
    held = {name: ours[name].value if name in ours else None for name in printed}
    points = {
        name: None if (value := held[name]) is None else round(100 * (value - anchor.scores[name]), 2)
        for name in printed
    }
    near = all(point is not None and abs(point) <= tolerance for point in points.values())
    asking = (found.run.labeller_asking or found.run.asking) if anchor.part == "labels" else found.run.asking
    guard = (found.run.labeller or found.run.guard) if anchor.part == "labels" else found.run.guard
    return Replication(
        row=anchor.id,
        source=anchor.source,
        outcome="replicated" if near else "apart",
        # Half a unit of the last digit: printed digits are rounded, either way at a half.
        exact=all(point is not None and abs(point) <= 0.05 + 1e-9 for point in points.values()),
        tolerance=tolerance,
        published=printed,
        ours=ours,
        points=points,
        rows=len(found.rows),
        not_evaluated=sum(found.not_evaluated.values()),
        open=tuple(_open(anchor, found, asking.words)),
        data=found.run.data.name,
        data_sha256=found.run.data.sha256,
        words=asking.words,
        guard=guard.name,
        guard_fingerprint=guard.fingerprint,
        machine=found.run.machine,
        date=datetime.now(UTC).date().isoformat(),
    )


def _open(anchor: Anchor, found: Report, words: str | None) -> list[str]:
    said = ["the weights are known by the name that they are served under"]
    if found.run.data.known != anchor.set:
        said.append("the data are known by their counts, not by a published hash")
    elif found.run.data.warning:
        said.append(found.run.data.warning)
    if anchor.condition is not None:
        if words not in anchor.condition.words:
            said.append(f"the wording of {anchor.condition.wording} is taken as it was given")
        said += [f"renderer: {anchor.condition.renderer}", f"decoding: {anchor.condition.decoding}"]
    return said + ([anchor.note] if anchor.note else [])


def home() -> Path:
    """The folder that ``agentdog`` keeps its data in by default."""
    return default_packs().parent


def keep(found: Replication, folder: Path) -> None:
    """Appends a record."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / RECORDS).open("ab") as file:
        file.write(msgspec.json.encode(found) + b"\n")


def recorded(folder: Path | None = None) -> dict[str, Replication]:
    """Returns the newest record of every row: the shipped ones, then those of a data folder (by default the user's).

    Raises:
        DecodeError: naming the file whose records cannot be read.
    """
    found: dict[str, Replication] = {}
    for place in (files("atbench").joinpath(RECORDS), (folder or home()) / RECORDS):
        if place.is_file():
            try:
                found |= {one.row: one for one in msgspec.json.Decoder(Replication).decode_lines(place.read_bytes())}
            except msgspec.DecodeError as error:
                raise DecodeError(f"{place}: {error}; take the line out, or remove the file") from error
    return found


def mark(anchor: Anchor, known: Mapping[str, Replication]) -> str:
    """Says of a row whether it was replicated."""
    return known[anchor.id].told() if anchor.id in known else NOT_REPLICATED


def scores_of(anchor: Anchor) -> tuple[str, ...]:
    """The names of a row's scores, in the order of the papers."""
    return tuple(name for name in SCORES if name in anchor.scores) or tuple(anchor.scores)
