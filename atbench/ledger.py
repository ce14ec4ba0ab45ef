"""A run's folder: ``run.json`` says what was asked of whom, ``rows.jsonl`` keeps every answer as it came.

Invariant: a line is written whole or not at all as far as a reader can tell: a torn last line, left by a kill, is cut
off when the folder is opened again, and its row asked again; no other row is.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

import taxonomy
from agentdog import __version__
from agentdog.base.errors import DecodeError, GuardUnavailable, NotFoundError, UsageError
from agentdog.guards import GuardInfo, packs
from atbench import wording
from atbench.record import Mode, Record

RUN, ROWS, BASELINES = "run.json", "rows.jsonl", "baselines.json"


class DataInfo(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Which rows were judged.

    Attributes:
        sha256: of the file's bytes.
        rows: taken of it.
        limit: the first rows only.
        ambiguous: how rows were settled whose label the set does not vouch for, where not as labelled.
        masked: rows from which phrases were taken that give the label away, where that was asked for.
        place: the file on the machine of the run, so that a report can show the rows.
        origin: where it was fetched from, when not from here.
        known: which published set the bytes are; ``None`` when no published hash is theirs.
        warning: what stands against comparing the scores with published ones.
    """

    name: str
    sha256: str
    format: str
    rows: int
    limit: int | None = None
    ambiguous: str | None = None
    masked: int | None = None
    place: str | None = None
    origin: str | None = None
    known: str | None = None
    warning: str | None = None


class Asking(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a guard was asked: what its answers depend on beside the model.

    Attributes:
        wording: whose words the prompt is in.
        words: SHA-256 of the prompt, white space aside; published rows are known by theirs.
        renderer: the layout of a trajectory as text: its name, what of profile and tools it shows, its fingerprint.
        decoding: family of the pack and room for the answer; always the most likely token.
        served: what the server said of itself when the run began.
    """

    wording: str | None = None
    words: str | None = None
    renderer: str | None = None
    decoding: str | None = None
    served: str | None = None

    @staticmethod
    def of(
        info: GuardInfo, served: str | None, pack: packs.Pack | None = None, packs_folder: Path | None = None
    ) -> Asking:
        """Reads it off the guard's pack; a guard without a pack has none of it."""
        if info.pack is None:
            return Asking(served=served)
        try:
            pack = pack or packs.find(info.pack, packs_folder, labels_only=True)
        except GuardUnavailable:  # several behind each other
            return Asking(wording=info.wording, renderer=info.layout, served=served)
        return Asking(
            wording=info.wording or pack.wording,
            words=wording.fingerprint(pack),
            renderer=info.layout or pack.render.described,
            decoding=f"{pack.family}, {pack.max_tokens} tokens, greedy",
            served=served,
        )


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran."""

    system: str
    python: str
    cpus: int
    agentdog: str

    @staticmethod
    def here() -> Machine:
        """Describes this machine."""
        return Machine(
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            cpus=os.cpu_count() or 1,
            agentdog=__version__,
        )


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What a million tokens cost, in whatever currency: read anew, read from the server's cache, written."""

    prompt: float
    cached: float
    completion: float

    def cost(self, prompt: int, cached: int, completion: int) -> float:
        """Prices tokens; those from the cache are among the prompt's."""
        return ((prompt - cached) * self.prompt + cached * self.cached + completion * self.completion) / 1e6


class RunInfo(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="atbench.run/1"):
    """What was asked of whom: the condition that a score belongs to."""

    data: DataInfo
    guard: GuardInfo
    asking: Asking = Asking()
    labeller: GuardInfo | None = None
    labeller_asking: Asking | None = None
    mode: Mode = Mode.TRAJECTORY
    repeats: int = 1
    concurrency: int = 1
    engine: str = "here"
    prices: Prices | None = None
    taxonomy: str = taxonomy.load("all").version
    machine: Machine = msgspec.field(default_factory=Machine.here)

    def condition(self) -> dict[str, object]:
        """What must be the same for two parts of a run to belong together."""
        return {
            "data": (self.data.sha256, self.data.limit, self.data.ambiguous, self.data.masked),
            "guard": self.guard.fingerprint,
            "diagnose-guard": self.labeller.fingerprint if self.labeller else None,
            "mode": self.mode,
            "repeats": self.repeats,
        }


class Ledger:
    """The folder of one run, opened for adding to it."""

    def __init__(self, folder: Path, info: RunInfo) -> None:
        """Opens a folder, or begins it.

        Raises:
            UsageError: when another run's answers lie there.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / RUN).exists():
            _same(load_info(folder), info, folder)
        else:
            _write(folder / RUN, msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n")
        cut_torn_line(folder / ROWS)
        self.records = list(load_records(folder))
        self._file: IO[bytes] = (folder / ROWS).open("ab")

    def add(self, record: Record) -> None:
        """Appends one record; it is the system's once this returns, so that a killed process loses none."""
        self._file.write(msgspec.json.encode(record) + b"\n")
        self._file.flush()
        self.records.append(record)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def load_info(folder: Path) -> RunInfo:
    """Reads ``run.json``.

    Raises:
        NotFoundError: when the folder holds no run.
        DecodeError: when it is not what this version writes.
    """
    try:
        return msgspec.json.decode((folder / RUN).read_bytes(), type=RunInfo)
    except FileNotFoundError:
        raise NotFoundError(f"{folder} holds no {RUN}; make one with `atbench run … --out {folder}`") from None
    except msgspec.DecodeError as error:
        raise DecodeError(f"{folder / RUN}: {error}") from error


def load_records(folder: Path) -> Iterator[Record]:
    """Reads ``rows.jsonl`` as far as its lines are whole.

    Raises:
        DecodeError: naming the line that is not a record.
    """
    path = folder / ROWS
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            yield msgspec.json.decode(line, type=Record)
        except msgspec.DecodeError as error:
            raise DecodeError(f"{path}, line {number}: {error}") from error


def _same(there: RunInfo, here: RunInfo, folder: Path) -> None:
    before, now = there.condition(), here.condition()
    for name in before:
        if before[name] != now[name]:
            raise UsageError(
                f"{folder} holds a run with another {name} ({before[name]}, now {now[name]}); name another --out"
            )


def cut_torn_line(path: Path) -> None:
    """Takes a file's last line off where it has no end: a kill tore it."""
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
