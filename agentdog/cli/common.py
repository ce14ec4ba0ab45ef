"""What commands share: ``--json``, exit codes, printing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

FINE, FINDING, USAGE, NOTHING_EVALUATED = 0, 1, 2, 3

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """Adds ``--json``: machine-readable output on stdout, nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")(function)


def pack_option(function: F) -> F:
    """Adds ``--pack``: another prompt and parser than those chosen by the model's name."""
    told = "Prompt and parser: a name from `agentdog packs list`, or a YAML file of yours."
    return click.option("--pack", metavar="NAME|FILE", help=told)(function)


class ReaderLeft(Exception):  # noqa: N818 - no error: `agentdog list | head` has seen enough
    """Nobody reads standard output any more; not an `OSError`, which click would end with 1, a finding."""


def emit(value: Any) -> None:  # noqa: ANN401 - anything msgspec can encode
    """Prints a value as indented JSON.

    Raises:
        ReaderLeft: nobody reads it.
    """
    try:
        click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
    except BrokenPipeError as error:
        raise ReaderLeft from error
