"""Published scores, each with its source, and what sets its condition apart from a run of ours.

Invariant: a number stands beside ours as comparable only when the rows are the same file in full and the way of asking
is the published one; otherwise the differences are named. What a paper leaves open is a difference.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec

import taxonomy
from agentdog.base.errors import DecodeError, NotFoundError, UsageError
from atbench.ledger import Asking, RunInfo
from atbench.record import Mode

Part = Literal["scores", "labels"]
SCORES = ("accuracy", "precision", "recall", "f1")
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{5})")


class Rows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published set: its rows, unsafe ones where the balance is printed, and where the file is to be had."""

    rows: int
    unsafe: int | None = None
    place: str


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a published row was asked, as far as its source says.

    Attributes:
        pack: of ours with the family's parser and layout; its wording is to be replaced by the published one.
        wording: where the words are published.
        words: SHA-256 of these, as `atbench.wording.fingerprint` takes it; none where it cannot be told.
        renderer: what is published of the layout; `decoding` of how the answer was sampled.
    """

    mode: Mode
    pack: str
    wording: str
    words: tuple[str, ...] = ()
    renderer: str
    decoding: str


class Anchor(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One published row: shares, not per cent.

    Attributes:
        id: ``SET/MODEL``, ``SET/MODEL/labels`` for a row of labels; ``@ARXIV`` behind it where several papers have it.
        set: which data set, by its published name.
        rows: how many rows it has; `unsafe` of these, where that is printed.
        scores: printed ones of accuracy, precision, recall and f1; of a row of labels, share named right per axis.
        trained: whether the model saw rows of the set's own pipeline in training, where the source says.
        note: what its source says against it.
        weights: id on the hub, where the row could be run; `condition` how.
        apart: filled by `anchors`: what differs in the run that it is put beside.
    """

    id: str
    set: str
    rows: int
    unsafe: int | None = None
    model: str
    part: Part = "scores"
    source: str
    scores: dict[str, float]
    trained: bool | None = None
    note: str | None = None
    place: str
    weights: str | None = None
    condition: Condition | None = None
    apart: tuple[str, ...] = ()

    @property
    def printed(self) -> dict[str, str]:
        """The scores as their source prints them: per cent, one digit."""
        return {name: f"{100 * value:.1f}" for name, value in self.scores.items()}


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    set: str
    source: str
    models: dict[str, tuple[float | None, float | None, float | None, float | None]] = {}
    axes: dict[str, tuple[float | None, float | None, float | None]] = {}
    trained: tuple[str, ...] = ()
    note: str | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sets: dict[str, Rows]
    conditions: dict[str, Condition] = {}
    asked: dict[str, dict[Part, tuple[str, str]]] = {}
    tables: tuple[_Table, ...]


@cache
def published(table: Path | None = None) -> tuple[Anchor, ...]:
    """Reads the shipped table, or one of the same form.

    Raises:
        NotFoundError: there is no such file.
        DecodeError: naming what in it does not fit.
    """
    place = table or files("atbench").joinpath("published.yaml")
    try:
        held = msgspec.yaml.decode(place.read_bytes(), type=_File)
        rows = [row for part in held.tables for row in _rows(held, part)]
    except FileNotFoundError:
        raise NotFoundError(f"{table}: there is no such table of published rows") from None
    except (msgspec.MsgspecError, KeyError) as error:
        raise DecodeError(f"{place}: {error}") from error
    names = [row.id for row in rows]
    return tuple(
        row if names.count(row.id) == 1 else msgspec.structs.replace(row, id=f"{row.id}@{_paper(row)}") for row in rows
    )


def find(name: str, table: Path | None = None) -> Anchor:
    """Returns a row by its id, without regard to case.

    Raises:
        NotFoundError: naming those that are like it.
        UsageError: when several papers have such a row.
    """
    held = published(table)
    for row in held:
        if row.id.lower() == name.lower():
            return row
    several = [row.id for row in held if row.id.lower().startswith(f"{name.lower()}@")]
    if several:
        raise UsageError(f"row {name!r} stands in several papers: {', '.join(several)}")
    like = [row.id for row in held if name.lower() in row.id.lower()][:8]
    raise NotFoundError(
        f"no published row {name!r}" + (f"; like it are {', '.join(like)}" if like else "; see `atbench published`")
    )


def _rows(held: _File, part: _Table) -> list[Anchor]:
    found = []
    kinds: tuple[tuple[Part, tuple[str, ...], dict[str, tuple[float | None, ...]]], ...] = (
        ("scores", SCORES, dict(part.models)),
        ("labels", tuple(taxonomy.AXES), dict(part.axes)),
    )
    for kind, names, models in kinds:
        for model, values in models.items():
            weights, condition = held.asked.get(model, {}).get(kind, (None, None))
            rows = held.sets[part.set]
            found.append(
                Anchor(
                    id=f"{part.set}/{model}" + ("/labels" if kind == "labels" else ""),
                    set=part.set,
                    rows=rows.rows,
                    unsafe=rows.unsafe,
                    model=model,
                    part=kind,
                    source=part.source,
                    scores={n: round(v / 100, 4) for n, v in zip(names, values, strict=True) if v is not None},
                    trained=True if model in part.trained else None,
                    note=part.note,
                    place=rows.place,
                    weights=weights,
                    condition=held.conditions[condition] if condition else None,
                )
            )
    return found


def _paper(row: Anchor) -> str:
    found = _ARXIV.search(row.source)
    return found[1] if found else row.source.replace(" ", "-")


def anchors(run: RunInfo) -> list[Anchor]:
    """Returns published rows of the set that a run is over, by its bytes or else by its name, with the differences."""
    name = plain(run.data.known or run.data.name.split(".")[0])
    # The longest name wins: a file named after ATBench500 is no part of ATBench.
    sets = sorted({anchor.set for anchor in published()}, key=len, reverse=True)
    fits = str.__eq__ if run.data.known else str.startswith
    meant = next((held for held in sets if fits(name, plain(held))), None)
    part: Part = "labels" if run.mode is Mode.DIAGNOSIS_ONLY else "scores"
    return [
        msgspec.structs.replace(anchor, apart=tuple(differences(anchor, run)))
        for anchor in published()
        if anchor.set == meant and anchor.part == part
    ]


def differences(anchor: Anchor, run: RunInfo) -> list[str]:
    """Names what sets a run apart from a published row's condition; what is not published is a difference too."""
    found = []
    if run.data.known != anchor.set:
        found.append("revision of the data")
    if run.data.rows != anchor.rows:
        found.append(f"rows ({anchor.rows})")
    condition, mode = anchor.condition, Mode.TRAJECTORY if anchor.part == "scores" else Mode.DIAGNOSIS_ONLY
    if run.mode is not mode:
        found.append(f"mode ({mode})")
    asking: Asking = (run.labeller_asking or run.asking) if anchor.part == "labels" else run.asking
    if condition is None:
        return [*found, "wording, renderer and decoding (not published)"]
    if asking.words not in condition.words:
        found.append(f"wording ({condition.wording})")
    return [*found, f"renderer ({condition.renderer})", f"decoding ({condition.decoding})"]


def plain(name: str) -> str:
    """A name by its letters and digits alone: cards, papers and servers write it each in their own way."""
    return "".join(c for c in name.lower() if c.isalnum())
