"""``agentdog import``: what other tools recorded goes to the running sidecar, stored and judged like live data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from agentdog.cli.common import FINE, USAGE, emit, json_option
from agentdog.cli.remote import plain, token
from agentdog.cli.sending import Sender
from agentdog.cli.sources import Sources, gather
from agentdog.client import wording
from agentdog.service.settings import load_settings
from agentdog.spans import content_stats, reconstruct
from agentdog.spans.document import Found
from agentdog.spans.records import Record
from agentdog.spans.retell import retell


class FileReport(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What one file held: who wrote it, what is in it and what is missing, what cannot be kept, or why it failed."""

    path: str
    tool: str | None = None
    trajectories: int = 0
    steps: int = 0
    missing: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    error: str | None = None
    records: int = 0


class Report(msgspec.Struct, kw_only=True):
    """All files, and what the receiver took; `endpoint` is null when nothing was to be sent."""

    files: list[FileReport]
    skipped: list[str]
    endpoint: str | None
    sent: int
    rejected: int
    messages: list[str]


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--project", help="Project to import into; the sidecar's own by default.")
@click.option("--dry-run", is_flag=True, help="Read and report; send nothing.")
@click.option("--url", metavar="URL", help="Address of the OTLP/HTTP receiver; the settings' own by default.")
@json_option
def command(paths: tuple[Path, ...], project: str | None, dry_run: bool, url: str | None, as_json: bool) -> None:
    """Import what already happened: files and folders of other tools' exports, transcripts and OTLP.

    Read are exports of Phoenix, Langfuse, LangSmith and Jaeger, OTLP requests, transcripts of Claude Code and Codex,
    ATIF and chat messages. Importing a file twice stores it once. Exit code 2 when a file could not be read or a record
    was refused; the others are imported all the same.
    """
    endpoint = None if dry_run else url or load_settings().otlp_endpoint
    with _progress() as progress:
        sources = _read(paths, progress)
        told = [(found, records_of(found)) for found in sources.found]
        files = [_reported(found, records) for found, records in told]
        files += [FileReport(path=str(path), error=str(error)) for path, error in sources.failed.items()]
        report = Report(
            files=files, skipped=[str(p) for p in sources.skipped], endpoint=endpoint, sent=0, rejected=0, messages=[]
        )
        if endpoint is not None and told:
            _send([records for _, records in told], Sender(endpoint, project, token=token()), progress, report)
    if as_json:
        emit(report)
    else:
        _print(report)
    refused = report.rejected or any(file.error or file.rejected for file in files)
    raise SystemExit(USAGE if refused else FINE)


def records_of(found: Found) -> list[Record]:
    """Returns what a file is sent as: its telemetry, or the telemetry that would have told its transcripts."""
    undated = found.path.stat().st_mtime_ns
    told = [span for trajectory in found.trajectories for span in retell(trajectory, undated_ns=undated)]
    return [*found.records, *told]


@contextmanager
def _progress() -> Iterator[Progress]:
    """Shows progress on stderr, where it is a terminal; stdout is for results."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def _read(paths: tuple[Path, ...], progress: Progress) -> Sources:
    task: TaskID = progress.add_task("reading", total=None)

    def seen(path: Path, left: int) -> None:
        done = progress.tasks[task].completed
        progress.update(task, description=f"reading {escape(wording.visible(path.name))}", total=done + left, advance=1)

    return gather(paths, seen)


def _send(batches: Sequence[Sequence[Record]], sender: Sender, progress: Progress, report: Report) -> None:
    task = progress.add_task("sending", total=sum(map(len, batches)))
    try:
        for records in batches:
            for count in sender.send(records):
                progress.advance(task, count)
    finally:
        sender.close()
    report.sent, report.rejected, report.messages = sender.sent.records, sender.sent.rejected, sender.sent.messages


def _reported(found: Found, records: Sequence[Record]) -> FileReport:
    trajectories = list(found.trajectories) or reconstruct(records)
    missing = dict.fromkeys(part for trajectory in trajectories for part in trajectory.missing)
    mends = [f"{s.scope}: {s.reason}; {s.mend}" for s in content_stats(found.records) if s.mend is not None]
    return FileReport(
        path=str(found.path),
        tool=found.tool,
        trajectories=len(trajectories),
        steps=sum(len(trajectory.steps) for trajectory in trajectories),
        missing=tuple(missing),
        mends=tuple(mends),
        rejected=tuple(f"{fault.id}: {fault.reason}" for fault in found.rejected),
        records=len(records),
    )


def _print(report: Report) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for name in ("file", "from", "runs", "steps", "not in it"):
        table.add_column(name, justify="right" if name in ("runs", "steps") else "left", overflow="fold")
    for file in report.files:
        if file.error is None:
            cells = (str(file.trajectories), str(file.steps), ", ".join(file.missing))
            table.add_row(plain(file.path), plain(file.tool or ""), *map(plain, cells))
    if table.row_count:
        console.print(table)
    for file in report.files:
        if file.error is not None:
            console.print(plain(f"not read: {file.error}", "red"))
        for fault in file.rejected:
            console.print(plain(f"not kept, of {file.path}: {fault}", "red"))
        for mend in file.mends:
            console.print(plain(f"{mend}.", "dim"))
    if report.skipped:
        console.print(plain(f"{wording.plural(len(report.skipped), 'file')} of no known format skipped.", "dim"))
    for message in report.messages:
        console.print(plain(f"refused by the sidecar: {message}", "red"))
    if report.endpoint is None:
        console.print(plain("Nothing was sent.", "dim"))
    else:
        console.print(plain(f"{wording.plural(report.sent, 'record')} sent to {report.endpoint}."))
