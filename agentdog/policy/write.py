"""Puts a rule into a policy file, in front of those that are there, and leaves every other line as it is.

Invariant: what is written reads as the rules of before with the new one in front; else nothing is written.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import msgspec

from agentdog.base.errors import UsageError
from agentdog.policy.load import parse, to_yaml
from agentdog.policy.model import EMPTY, Rule

_RULES = re.compile(r"^rules:[ \t]*(?:\[\s*\])?[ \t]*(?:#.*)?$", re.MULTILINE)


def add(path: Path, rule: Rule) -> Rule:
    """Adds a rule to a file, which is made where there is none; returns it with the id that it got.

    Raises:
        UsageError: the file is no policy, or is laid out so that nothing can be put into it.
    """
    before = path.read_text("utf-8") if path.exists() else ""
    where = f"policy {path}"
    old = parse(before, where) if before.strip() else EMPTY
    if any(_same(rule, known) for known in old.rules):
        raise UsageError(f"{where}: this rule is there already")
    rule = msgspec.structs.replace(rule, id=_free(rule.id, {known.id for known in old.rules}))
    after = _with(before, rule)
    if parse(after, where).rules != (rule, *old.rules):
        raise UsageError(f"{where}: write `rules:` on a line of its own with a list below it, or add the rule by hand")
    _replace(path, after)
    return rule


def _with(text: str, rule: Rule) -> str:
    if not text.strip():
        return to_yaml([rule], head=True)
    head = _RULES.search(text)
    if head is None:
        return f"{text.rstrip()}\nrules:\n{to_yaml([rule])}"
    rest = text[head.end() :].lstrip("\n")
    first = re.match(r"(?:[ \t]*(?:#.*)?\n)*([ \t]*)- ", rest)
    indent = first[1] if first else ""
    block = "".join(f"{indent}{line}\n" for line in to_yaml([rule]).splitlines())
    return f"{text[: head.start()]}rules:\n{block}{rest}"


def _same(one: Rule, other: Rule) -> bool:
    """Whether two rules say the same, whatever they are called."""
    return msgspec.structs.replace(one, id="", reason="") == msgspec.structs.replace(other, id="", reason="")


def _free(name: str, taken: set[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _replace(path: Path, text: str) -> None:
    """Writes whole or not at all: a running service may read at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o600)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
