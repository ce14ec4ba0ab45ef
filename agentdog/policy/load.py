"""Reads and writes policy files (YAML).

Invariant: what is read is whole and unambiguous; a misspelt key, an unknown effect, a pattern that is none and a rule
without a condition are refused with the rule's id and the remedy, never skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import yaml

from agentdog.base.errors import UsageError
from agentdog.policy.model import VERSION, ArgumentTest, Decision, Policy, ProvenanceTest, Rule
from agentdog.provenance import Effect, Kind, Source

_LISTS = ("tool", "effect", "agent", "project")
_MAX_BYTES = 1 << 20


def load(path: Path) -> Policy:
    """Reads a policy file.

    Raises:
        UsageError: naming the file, the rule, the field and the remedy.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"policy {path}: larger than {_MAX_BYTES} bytes; a policy is a short file of rules")
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"policy {path}: {error.strerror}; give a readable YAML file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"policy {path}: not UTF-8 text; give a YAML file") from error
    return parse(text, f"policy {path}")


def parse(text: str, where: str = "policy") -> Policy:
    """Reads a policy's text; see `load`."""
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{where}: not YAML: {' '.join(str(error).split())}") from error
    given = {"rules": []} if given is None else given
    if not isinstance(given, dict):
        raise UsageError(f"{where}: a mapping with `rules:` is needed")
    rows = given.get("rules", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{where}: rules must be a list of mappings with id, decision and reason")
    version = given.get("version", VERSION)
    if version != VERSION:
        raise UsageError(f"{where}: version is {version!r}; this program reads version {VERSION}")
    head = {key: value for key, value in given.items() if key != "rules"}
    if isinstance(head.get("trusted_tools"), str):
        head["trusted_tools"] = [head["trusted_tools"]]
    policy: Policy = _convert(head, Policy, where)
    rules = tuple(rule_of(row, f"{where}, rule {row.get('id', number)!r}") for number, row in enumerate(rows, 1))
    ids = [rule.id for rule in rules]
    twice = next((i for i in ids if ids.count(i) > 1), None)
    if twice is not None:
        raise UsageError(f"{where}: two rules have the id {twice!r}; ids must be unique")
    return msgspec.structs.replace(policy, rules=rules)


def rule_of(row: dict[str, Any], where: str) -> Rule:
    """Reads one rule; raises `UsageError` naming the field."""
    plain = {key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in row.items()}
    arguments = plain.get("arguments")
    if isinstance(arguments, dict):
        plain["arguments"] = {str(key): _argument(value) for key, value in arguments.items()}
    provenance = plain.get("provenance")
    if isinstance(provenance, str):
        plain["provenance"] = {"from": provenance}
    elif isinstance(provenance, dict):
        plain["provenance"] = {k: [v] if k != "from" and isinstance(v, str) else v for k, v in provenance.items()}
    rule: Rule = _convert(plain, Rule, where)
    _check(rule, where)
    return rule


def _argument(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """A bare value is `equals`, a bare list `one_of`."""
    if isinstance(value, list):
        return {"one_of": value}
    if not isinstance(value, dict):
        return {"equals": value}
    lists = ("one_of", "domain_in", "domain_not_in")
    return {k: [v] if k in lists and not isinstance(v, list) else v for k, v in value.items()}


def _check(rule: Rule, where: str) -> None:
    if not rule.id.strip() or not rule.reason.strip():
        raise UsageError(f"{where}: id and reason must be text; the reason is what the agent and people are told")
    if not (rule.tool or rule.effect or rule.arguments or rule.provenance):
        raise UsageError(
            f"{where}: no condition; state tool, effect, arguments or provenance (tool: '*' is every call)"
        )
    for path, test in rule.arguments.items():
        if not msgspec.to_builtins(test):
            raise UsageError(f"{where}: arguments.{path} asks nothing; state equals, matches, domain_in …")
        for name, pattern in (("matches", test.matches), ("not_matches", test.not_matches)):
            try:
                re.compile(pattern or "")
            except re.error as error:
                raise UsageError(f"{where}: arguments.{path}.{name}: no regular expression: {error}") from error
    if rule.provenance and rule.provenance.tool and rule.provenance.origin is not Source.UNTRUSTED:
        raise UsageError(f"{where}: provenance.tool goes with `from: untrusted` only")


def _convert(given: Any, kind: Any, where: str) -> Any:  # noqa: ANN401
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}{_remedy(str(error), kind)}") from error


def _remedy(message: str, kind: Any) -> str:  # noqa: ANN401
    """What could be meant, for a misspelt field and for a value outside a closed list."""
    place = message.partition("`$")[2]
    if "unknown field" in message:
        inner = ArgumentTest if ".arguments" in place else ProvenanceTest if ".provenance" in place else kind
        return f"; known are {', '.join(inner.__struct_encode_fields__)}"
    lists: dict[str, type[StrEnum]] = {".decision": Decision, ".effect": Effect, ".from": Source, ".kind": Kind}
    values = next((values for end, values in lists.items() if end in place), None)
    return f"; use one of {', '.join(values)}" if values else ""


def to_yaml(rules: Iterable[Rule], *, head: bool = False) -> str:
    """Writes rules as a policy file holds them: a list that can be put under ``rules:``, or a whole file."""
    rows = [_shortened(msgspec.to_builtins(rule)) for rule in rules]
    shown = {"version": VERSION, "rules": rows} if head else rows
    text: str = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)
    return text


def _shortened(row: dict[str, Any]) -> dict[str, Any]:
    """Lists of one entry are written as that entry."""
    return {
        key: value[0] if key in _LISTS and isinstance(value, list | tuple) and len(value) == 1 else _plain(value)
        for key, value in row.items()
    }


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
