"""``atbench gate``: a run as a condition of CI."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from agentdog.base.errors import UsageError
from atbench.metrics import ratio
from atbench.report import from_folder
from atbench.show import percent

PASSED, FAILED = 0, 1


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One score against its bound, both as shares; ``None`` when it is not defined."""

    name: str
    value: float | None
    bound: float
    side: str
    passed: bool


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--min-f1", type=click.FloatRange(0, 1), help="Lowest F1 that passes.")
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Lowest accuracy that passes.")
@click.option("--max-false-alarm", type=click.FloatRange(0, 1), help="Highest share of safe rows called unsafe.")
@click.option("--max-not-evaluated", type=click.FloatRange(0, 1), help="Highest share of rows without a verdict.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")
def gate(
    folder: Path,
    min_f1: float | None,
    min_accuracy: float | None,
    max_false_alarm: float | None,
    max_not_evaluated: float | None,
    as_json: bool,
) -> None:
    """Exit with 1 when RUN is worse than asked for; a score that is not defined does not pass."""
    found = from_folder(folder)
    safe = [row for row in found.rows if row.label == 0]
    missing = sum(found.not_evaluated.values())
    checks = [
        ("F1", found.metrics["f1"].value, min_f1, 1),
        ("accuracy", found.metrics["accuracy"].value, min_accuracy, 1),
        ("false alarms", ratio(sum(row.prediction == 1 for row in safe), len(safe)), max_false_alarm, -1),
        ("not evaluated", ratio(missing, len(found.rows)), max_not_evaluated, -1),
    ]
    asked = [(name, value, bound, sign) for name, value, bound, sign in checks if bound is not None]
    if not asked:
        raise UsageError(
            "nothing is asked for; give --min-f1, --min-accuracy, --max-false-alarm or --max-not-evaluated"
        )
    told = [
        Check(
            name=name,
            value=value,
            bound=bound,
            side="at least" if sign > 0 else "at most",
            passed=value is not None and sign * value >= sign * bound,
        )
        for name, value, bound, sign in asked
    ]
    passed = all(check.passed for check in told)
    if as_json:
        click.echo(msgspec.json.encode({"passed": passed, "checks": told}).decode())
    for check in told if not as_json else ():
        word = "pass" if check.passed else "FAIL"
        click.echo(f"{word}  {check.name} {percent(check.value)} %, {check.side} {percent(check.bound)} %")
    raise SystemExit(PASSED if passed else FAILED)
