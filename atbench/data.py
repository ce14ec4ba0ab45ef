"""Labelled rows by name: a file, a folder of files, or a file of the hub; what is taken of them, and what they are.

Invariant: what is taken is said: a limit, rows left out, labels turned and phrases masked are in the run's condition.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from agentdog.base.errors import DecodeError, NotFoundError
from agentdog.trajectory.formats import Case, files, sniff
from atbench.hub import locate
from atbench.leaks import leaks, mask
from atbench.ledger import DataInfo
from atbench.sources import Known, known

#: What a folder's files of rows may be called.
_ROWS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")


class Ambiguous(StrEnum):
    """What becomes of rows whose label the set does not vouch for.

    ``as-labelled``: they stay as the file has them. ``strict``: what is ambiguous is unsafe; ``lenient``: it is safe
    (ASSEBench's two readings, arXiv 2506.00641). ``out``: every row of which there is doubt is left out.
    """

    AS_LABELLED = "as-labelled"
    STRICT = "strict"
    LENIENT = "lenient"
    OUT = "out"


class Taking(NamedTuple):
    """What is taken of a set: the first rows only, how doubt is settled, and whether giveaway phrases are masked."""

    limit: int | None = None
    ambiguous: Ambiguous = Ambiguous.AS_LABELLED
    mask: bool = False


def load(
    dataset: str,
    taking: Taking = Taking(),  # noqa: B008 - immutable
    *,
    here_only: bool = False,
) -> tuple[DataInfo, list[Case]]:
    """Reads labelled rows and says which these are; with `here_only` nothing is fetched from the hub.

    Raises:
        NotFoundError: when there is no such file, or a folder holds none.
        DecodeError: naming file, row and field that do not fit.
    """
    located = locate(dataset, here_only=here_only)
    if located.path.is_dir():
        format_, sha256, cases = _folder(located.path)
    else:
        found = sniff.sniff(located.path)
        format_, sha256 = found.name, hashlib.sha256(located.path.read_bytes()).hexdigest()
        cases = list(found.read(located.path))
    leaking = sum(leaks(case) for case in cases)
    taken, doubtful = _take(cases, taking)
    published: Known = known(located.path.name, _content(located.path, sha256))
    return DataInfo(
        name=located.path.name,
        sha256=sha256,
        format=format_,
        rows=len(taken),
        limit=taking.limit,
        ambiguous=str(taking.ambiguous) if taking.ambiguous is not Ambiguous.AS_LABELLED else None,
        masked=leaking if taking.mask else None,
        origin=located.origin,
        place=None if located.origin else str(located.path.resolve()),
        known=published.name,
        warning="; ".join(filter(None, (located.warning, published.warning, *_traps(taken, doubtful, leaking, taking))))
        or None,
    ), taken


def again(data: DataInfo) -> list[Case] | None:
    """Reads the rows of a run anew where its file is still here with the same bytes; ``None`` elsewhere."""
    if data.place is None or not Path(data.place).exists():
        return None
    try:
        taking = Taking(data.limit, Ambiguous(data.ambiguous or Ambiguous.AS_LABELLED), mask=data.masked is not None)
        found, cases = load(data.place, taking)
    except (DecodeError, NotFoundError):
        return None
    return cases if found.sha256 == data.sha256 else None


def _content(path: Path, sha256: str) -> str:
    """Hash of what a packed file holds: packing changes no row."""
    return sha256 if path.is_dir() else hashlib.sha256(files.read_bytes(path)).hexdigest()


def _folder(folder: Path) -> tuple[str, str, list[Case]]:
    """Reads every file of rows below a folder, in order of name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.endswith(_ROWS))
    if not paths:
        raise NotFoundError(f"{folder} holds no file of rows ({', '.join(_ROWS)})")
    formats: list[str] = []
    cases: list[Case] = []
    total = hashlib.sha256()
    for path in paths:
        found = sniff.sniff(path)
        formats.append(found.name)
        cases += found.read(path)
        total.update(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return "+".join(dict.fromkeys(formats)), total.hexdigest(), cases


def _take(cases: Sequence[Case], taking: Taking) -> tuple[list[Case], Counter[str]]:
    """Settles doubt, masks, and cuts; beside it, how many rows are in doubt, by kind."""
    doubtful: Counter[str] = Counter(case.doubt for case in cases if case.doubt)
    taken = [_settled(case, taking.ambiguous) for case in cases]
    if taking.ambiguous is Ambiguous.OUT:
        taken = [case for case in taken if case.doubt is None]
    taken = taken[: taking.limit]
    return [mask(case) for case in taken] if taking.mask else taken, doubtful


def _settled(case: Case, ambiguous: Ambiguous) -> Case:
    label = {Ambiguous.STRICT: 1, Ambiguous.LENIENT: 0}.get(ambiguous)
    if case.doubt != "ambiguous" or label is None or case.label is None:
        return case
    return msgspec.structs.replace(case, label=label, unsafe_step=case.unsafe_step if label else None)


def _traps(taken: Sequence[Case], doubtful: Counter[str], leaking: int, taking: Taking) -> list[str]:
    """What a reader of the scores must know of the rows."""
    found = []
    if leaking and not taking.mask:
        found.append(f"{leaking} rows carry phrases that give the label away; --mask takes them out")
    if taking.mask:
        found.append(f"phrases that give the label away are masked in {leaking} rows")
    for kind, count in sorted(doubtful.items()):
        told = {"ambiguous": "are marked ambiguous by the set", "never_reached": "never come to the risky point"}[kind]
        found.append(f"{count} rows {told} (--ambiguous {taking.ambiguous})")
    deciding = sum(case.unsafe_step is not None and case.label is None for case in taken)
    if deciding:
        found.append(f"{deciding} rows label the step that decided a failure, which need not be unsafe")
    twice = sum(count > 1 for count in Counter(case.trajectory.id for case in taken).values())
    if twice:
        found.append(f"{twice} ids name more than one row")
    return found
