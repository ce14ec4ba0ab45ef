"""A bar on standard error while rows are judged, so that standard output stays the result's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from atbench.metrics import Confusion
from atbench.record import Record
from atbench.show import percent


class Bar:
    """Rows done, rate, time left and the score so far; gives what to call with each record."""

    def __init__(self, total: int, there: Iterable[Record]) -> None:
        self._bar = Progress(
            TextColumn("judging"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[score]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._counts: Counter[tuple[int | None, int | None]] = Counter()
        self._tokens = 0
        done = 0
        for done, record in enumerate(there, 1):  # noqa: B007 - the last number counts
            self._count(record)
        self._task = self._bar.add_task("", total=total, completed=done, score="")

    def __enter__(self) -> Callable[[Record], None]:
        self._bar.start()
        return self._done

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def _count(self, record: Record) -> None:
        row = record.row()
        self._counts[row.label, row.prediction] += 1
        self._tokens += row.prompt_tokens + row.completion_tokens

    def _done(self, record: Record) -> None:
        self._count(record)
        self._bar.update(self._task, advance=1, score=self._score())

    def _score(self) -> str:
        c = self._counts
        scores = Confusion(tp=c[1, 1], fp=c[0, 1] + c[0, None], fn=c[1, 0] + c[1, None], tn=c[0, 0]).scores()
        missing = sum(count for (_, prediction), count in c.items() if prediction is None)
        speed = self._bar.tasks[0].finished_speed or self._bar.tasks[0].speed or 0.0
        return (
            f"{speed:.1f} rows/s, accuracy {percent(scores['accuracy'])}, F1 {percent(scores['f1'])}, "
            f"not evaluated {missing}" + (f", {self._tokens} tokens" if self._tokens else "")
        )
