"""Writes ``docs/results.md``: what the embedded guard scores on every set at hand, intervals and shortcuts beside it.

``python benchmarks/results.py --data FOLDER [--out docs/results.md] [--small-model ROWS] [--faithfulness KEPT]``

Every table is computed here and now; nothing is typed in. FOLDER holds the files of rows, in any known format.
``--small-model`` adds SmolLM2-135M behind a real llama.cpp server on the first ROWS rows of three sets.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from atbench.data import Ambiguous, Taking, load
from atbench.job import Job, evaluate
from atbench.ledger import Machine
from atbench.metrics import ratio
from atbench.record import Mode, Record
from atbench.report import Report
from atbench.show import number, percent, with_bounds
from benchmarks.faithfulness import section

#: Readings of a set beside the plain one, by the beginning of its file's name.
VARIANTS = {
    "asse_security": Taking(mask=True),
    "asb_drift": Taking(mask=True),
    "openagentsafety": Taking(ambiguous=Ambiguous.OUT),
}
SMALL = ("rjudge564", "asse_security", "atbench_sample")
_SCORES = ("accuracy", "precision", "recall", "f1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/results.md"))
    parser.add_argument("--small-model", type=int, metavar="ROWS")
    parser.add_argument("--faithfulness", type=Path, metavar="KEPT", help="file of benchmarks/faithfulness.py --kept")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs = dict(_embedded(sorted(options.data.glob("*.gz"))))
    small = dict(_small_model(options.data, options.small_model)) if options.small_model else {}
    options.out.write_text(_page(runs, small, options.faithfulness), encoding="utf-8")
    if options.json:
        print(json.dumps({command: _brief(found) for command, found in {**runs, **small}.items()}))
    else:
        print(f"{options.out}: {len(runs)} runs of the embedded guard, {len(small)} of a small model")


def _embedded(paths: Iterable[Path]) -> Iterator[tuple[str, Report]]:
    for path in paths:
        name = path.name.split(".")[0]
        for taking in (Taking(), *(VARIANTS[key] for key in VARIANTS if name == key)):
            yield _command(path, "embedded", Mode.EVERY_STEP, taking), judge(path, "embedded", Mode.EVERY_STEP, taking)


def _small_model(data: Path, rows: int) -> Iterator[tuple[str, Report]]:
    from tests.support import llama_server

    missing = llama_server.missing()
    if missing:
        raise SystemExit(missing)
    with llama_server.llama_server() as (url, _):
        for name in SMALL:
            path, taking = data / f"{name}.jsonl.gz", Taking(limit=rows)
            uri = f"server:{url}?model=smollm2&concurrency=1"
            shown = "server:http://HOST:PORT/v1?model=smollm2&concurrency=1"
            yield _command(path, shown, Mode.TRAJECTORY, taking), judge(path, uri, Mode.TRAJECTORY, taking)


def judge(path: Path, guard: str, mode: Mode, taking: Taking, *, baselines: bool = True) -> Report:
    """Judges a file of rows through `atbench`, without its progress bar and without the user's packs."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(guard=guard, mode=mode, packs=Path(folder), baselines=baselines)
        return evaluate(*load(str(path), taking), job, _quiet)


@contextmanager
def _quiet(total: int, there: Iterable[Record]) -> Iterator[Callable[[Record], None]]:
    yield lambda record: None


def _command(path: Path, guard: str, mode: Mode, taking: Taking) -> str:
    words = ["atbench run", path.name, f"--guard '{guard}'", f"--mode {mode}"]
    words += [f"--limit {taking.limit}"] if taking.limit else []
    words += ["--mask"] if taking.mask else []
    words += [f"--ambiguous {taking.ambiguous}"] if taking.ambiguous is not Ambiguous.AS_LABELLED else []
    return " ".join(words)


def _page(runs: dict[str, Report], small: dict[str, Report], faithful: Path | None) -> str:
    any_run = next(iter(runs.values()))
    here, guard = Machine.here(), any_run.run.guard
    lines = [
        "# Results",
        "",
        "Written by `python benchmarks/results.py --data FOLDER --small-model ROWS --faithfulness KEPT`; do not edit.",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {here.system}, {here.cpus} cores, Python {here.python}, "
        f"guard {guard.name}, fingerprint `{guard.fingerprint}`.",
        "",
        "In brackets 95 % intervals, resampled by group. Unsafe is the positive class; a row that could not be",
        "evaluated counts as the wrong class. *Best shortcut* is the best of the rules and tiny classifiers of",
        "the last table, which judge nothing: a guard that is not above it has shown nothing on that set. No",
        "published number has been replicated here with the weights: *not replicated*. [How to read these",
        "numbers](evaluation.md).",
        "",
        "The embedded guard's weights were fitted on parts of all these sets but ATBench, Who&When and AgentRx,",
        "and those parts are among the rows here. What it reaches on groups that nobody read stands in [embedded-",
        "guard.md](embedded-guard.md). What attribution is stands in [attribution.md](attribution.md).",
        "",
        "## Embedded guard, every step judged",
        "",
    ]
    lines += _scores(runs)
    lines += ["", "## Sets without both classes", "", *_traffic(runs)]
    lines += ["", "## First alarms, where the set labels a step", "", *_onsets(runs)]
    lines += ["", "## Where, how and what", "", *_axes(runs)]
    lines += ["", "## Agreement with ODCV-Bench's severity", "", *_severity(runs)]
    if faithful:
        lines += ["", "## Whether attribution points at what was planted", "", *section(faithful)]
    if small:
        lines += ["", "## SmolLM2-135M behind llama.cpp: a wiring fixture that knows nothing of safety", ""]
        lines += _scores(small)
    lines += ["", "## Shortcuts", "", *_shortcuts(runs)]
    lines += ["", "## What stands against these numbers, and the commands", ""]
    for command, found in {**runs, **small}.items():
        lines += [f"- `{command}`", *(f"  - {caveat}" for caveat in found.caveats)]
    return "\n".join(lines) + "\n"


def _scores(runs: dict[str, Report]) -> list[str]:
    rows = []
    for found in _labelled(runs):
        best = max(found.baselines, key=lambda name, held=found: held.baselines[name]["f1"].value or 0.0)
        rows.append(
            (
                _name(found),
                f"{found.labelled} in {found.groups}",
                *(with_bounds(found.metrics[score]) for score in _SCORES),
                number(found.ranking.metrics["auroc"].value) if found.ranking else "-",
                f"{best}: " + " / ".join(percent(found.baselines[best][score].value) for score in ("accuracy", "f1")),
            )
        )
    return _table(("set", "rows in groups", *_SCORES, "AUROC", "best shortcut: accuracy / F1"), rows)


def _traffic(runs: dict[str, Report]) -> list[str]:
    rows = []
    for found in runs.values():
        if found.baselines:
            continue
        alarms = sum(row.prediction == 1 for row in found.rows)
        kind = "benign" if found.labelled else "unlabelled"
        rows.append((_name(found), kind, str(len(found.rows)), str(alarms), percent(ratio(alarms, len(found.rows)))))
    return _table(("set", "rows are", "rows", "called unsafe", "%"), rows)


def _onsets(runs: dict[str, Report]) -> list[str]:
    names = ("exact", "strict", "within_one", "early", "late", "missed", "step_false_alarm", "trajectory_false_alarm")
    rows = []
    for found in runs.values():
        if found.onset:
            held = [with_bounds(getattr(found.onset, name)) for name in names]
            rows.append((_name(found), str(found.onset.rows), *held, number(found.onset.steps_ahead.value)))
    head = ("set", "rows", *(name.replace("_", " ") for name in names), "steps ahead")
    foot = "Who&When and AgentRx label the step that decided a *failure* of the task, which is no violation."
    return [*_table(head, rows), "", foot]


def _axes(runs: dict[str, Report]) -> list[str]:
    rows = [
        (
            _name(found),
            axis.replace("_", " "),
            str(score.rows),
            *(with_bounds(interval) for interval in (score.named, score.end_to_end, score.top3)),
            percent(score.majority),
            percent(found.labels[axis].macro_f1),
        )
        for found in _labelled(runs)
        for axis, score in found.axes.items()
    ]
    head = (
        "set",
        "axis",
        "unsafe rows",
        "named right",
        "detected and named right",
        "among three",
        "majority",
        "macro F1",
    )
    return _table(head, rows)


def _severity(runs: dict[str, Report]) -> list[str]:
    rows = [
        (
            _name(found),
            str(found.severity.rows),
            *(
                f"{number(held.value)} ({number(held.low)} … {number(held.high)})"
                for held in (found.severity.spearman, found.severity.auroc)
            ),
        )
        for found in runs.values()
        if found.severity
    ]
    return _table(("set", "rows", "Spearman", "AUROC"), rows)


def _shortcuts(runs: dict[str, Report]) -> list[str]:
    held = _labelled(runs)
    names = list(held[0].baselines) if held else []
    rows = [
        (
            _name(found),
            *(
                f"{percent(found.baselines[n]['accuracy'].value)} / {percent(found.baselines[n]['f1'].value)}"
                for n in names
            ),
        )
        for found in held
    ]
    return [
        *_table(("set", *names), rows),
        "",
        "Accuracy / F1; what is fitted never sees the group that it is scored on.",
    ]


def _labelled(runs: dict[str, Report]) -> list[Report]:
    return [found for found in runs.values() if found.baselines]


def _name(found: Report) -> str:
    data = found.run.data
    marks = [
        "masked" if data.masked is not None else None,
        f"ambiguous {data.ambiguous}" if data.ambiguous else None,
        f"first {data.limit}" if data.limit else None,
    ]
    told = ", ".join(mark for mark in marks if mark)
    return data.name.split(".")[0] + (f" ({told})" if told else "")


def _brief(found: Report) -> dict[str, object]:
    metrics = {name: [held.value, held.low, held.high] for name, held in found.metrics.items()}
    return {
        "rows": len(found.rows),
        "metrics": metrics,
        "confusion": found.confusion,
        "guard": found.run.guard.fingerprint,
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


if __name__ == "__main__":
    main()
