"""Regression cases in front of `agentdog judge`: which are meant, and how each stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from agentdog.cli.case import found
from agentdog.cli.common import FINDING, FINE, NOTHING_EVALUATED
from agentdog.cli.output import Output
from agentdog.cli.remote import plain
from agentdog.diagnosis import Diagnosis
from agentdog.policy import EMPTY, Policy, load
from agentdog.policy.regression import Regression, Tried, attempt, is_case, read
from agentdog.service.settings import load_settings

_WORDS = {"passed": "passed", "failed": "FAILED", "not_evaluated": "not evaluated"}


def cases_of(path: Path) -> list[Regression]:
    """Returns the regression cases that a path means: a file, a folder of them, a case by its name; else none.

    Raises:
        NotFoundError: there is no such file, and no case of that name.
        DecodeError: a case cannot be read.
    """
    if not path.exists():
        return [read(found(str(path)))]
    if path.is_file():
        return [read(path)] if is_case(path) else []
    return [read(each) for each in sorted(path.glob("*.json")) if is_case(each)]


def rules(path: Path | None) -> Policy:
    """Returns the rules that a check would obey: of the file that is named, else of the settings' own where it is."""
    settings = load_settings()
    file = path.expanduser() if path is not None else settings.policy_path
    named = path is not None or settings.check.policy is not None
    return load(file) if named or file.is_file() else EMPTY


def attempts(cases: Sequence[Regression], diagnoses: Sequence[Diagnosis], policy: Policy) -> list[Tried]:
    """Says how each case stands."""
    return [attempt(case, diagnosis, policy) for case, diagnosis in zip(cases, diagnoses, strict=True)]


def print_attempts(tried: Sequence[Tried]) -> None:
    """Prints one line per case."""
    table = Table.grid(padding=(0, 2))
    for each in tried:
        style = {"passed": "green", "failed": "bold red"}.get(each.state, "yellow")
        table.add_row(plain(_WORDS[each.state], style), plain(each.name), plain(each.why))
    Output().print(table)


def code(tried: Sequence[Tried]) -> int:
    """1 when a case fails, 3 when none could be evaluated, else 0."""
    states = {each.state for each in tried}
    return FINDING if "failed" in states else NOTHING_EVALUATED if states == {"not_evaluated"} else FINE
