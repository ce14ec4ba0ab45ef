"""What the commands share that read from a running sidecar: its address, its errors, its words on a terminal.

Invariant: untrusted text reaches the terminal as rich `Text` (no markup) with every control character made visible.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.text import Text

from agentdog.base.errors import NotFoundError, OutsideError, UsageError
from agentdog.client import Client, ClientError, InvalidRequest, NotFound, wording
from agentdog.service.settings import load_settings

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds for what reads thousands of runs, or waits for a guard.
PATIENCE_S = 120.0

STYLES = {"unsafe": "bold red", "safe": "cyan", "not_evaluated": "yellow", "pending": "dim", "none": "dim"}


def url_option(function: F) -> F:
    """Adds ``--url``: the API's address."""
    words = "Address of the API; the settings' own by default."
    return click.option("--url", metavar="URL", help=words)(function)


def token() -> str | None:
    """Returns the token that the commands show: ``AGENTDOG_TOKEN``, or the text of the file ``AGENTDOG_TOKEN_FILE``.

    Raises:
        UsageError: the file cannot be read.
    """
    given, file = os.environ.get("AGENTDOG_TOKEN"), os.environ.get("AGENTDOG_TOKEN_FILE")
    if given or not file:
        return given or None
    try:
        return Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise UsageError(f"AGENTDOG_TOKEN_FILE: cannot read {file}: {error.strerror}") from error


@contextmanager
def client_at(url: str | None, timeout: float = 10.0) -> Iterator[Client]:
    """Gives a client, and turns its errors into ours: one line and exit code 2."""
    try:
        yield Client(url or load_settings().api_url, token=token(), timeout=timeout)
    except NotFound as error:
        raise NotFoundError(f"{error.message}; `agentdog list` shows what there is") from error
    except InvalidRequest as error:
        raise UsageError(str(error)) from error
    except ClientError as error:
        raise OutsideError(str(error)) from error
    except ValueError as error:  # an address that is none
        raise UsageError(f"--url: {error}") from error


def verdict_text(verdict: str, p: float | None = None) -> Text:
    """Words a verdict: never by colour alone."""
    words = f"{wording.VERDICT_WORDS.get(verdict, 'Not judged')} {wording.percent(p)}".rstrip()
    return Text(words, style=STYLES.get(verdict, ""))


def plain(text: str, style: str = "") -> Text:
    """Wraps untrusted text."""
    return Text(wording.visible(text), style=style)
