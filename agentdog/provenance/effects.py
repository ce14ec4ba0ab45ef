"""What a tool can do (read, write, send, pay, delete, execute, grant), from its name, description and parameters.

Invariant: a pure function of the tool, the call and the catalogue. The catalogue is data (``effects.yaml``); a user's
file of the same shape goes in front of it, so that his rules win.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from agentdog.base.errors import UsageError
from agentdog.base.ids import canonical_json, digest
from agentdog.provenance.values import leaves


class Effect(StrEnum):
    """What a call does to the world. `READ` alone leaves it as it was."""

    READ = "read"
    WRITE = "write"
    SEND = "send"
    PAY = "pay"
    DELETE = "delete"
    EXECUTE = "execute"
    GRANT = "grant"


Effects = frozenset[Effect]

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_SNAKE = re.compile(r"\b[a-z]{2,30}(?:_[a-z0-9]{1,30}){1,6}\b")
_THIRD_PERSON = re.compile(r"(?<=\w{3})s\b")  # "Deletes a file" and "Delete a file" say the same
_SENTENCE = re.compile(r"[.\n;]")
_NEGATED = re.compile(r"(?:do(?:es)? not|don'?t|never|without|not to|no need to|avoid)\s(?:\w+\s){0,2}$")


def name_words(name: str) -> str:
    """Splits a tool's name into lower-case words: ``mcp__mail__sendEmail`` becomes ``mcp mail send email``."""
    return " ".join(_BOUNDARY.sub(" ", name).lower().split())


@dataclass(frozen=True)
class _Rule:
    effects: Effects
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class _ParameterRule:
    effects: Effects
    one_of: frozenset[str]
    beside: frozenset[str]
    always: bool

    def fits(self, given: set[str]) -> bool:
        return bool(self.one_of & given) and (not self.beside or bool(self.beside & given))


@dataclass(frozen=True, eq=False)
class EffectCatalogue:
    """The rules, compiled, and their fingerprint."""

    data: Mapping[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever a rule does."""
        return digest("effects", canonical_json(self.data))

    @cached_property
    def destinations(self) -> frozenset[str]:
        """Names of arguments that say where something goes."""
        return frozenset(self.data["destinations"])

    @cached_property
    def code_arguments(self) -> frozenset[str]:
        """Names of arguments that hold commands or code."""
        return frozenset(self.data["code_arguments"])

    @cached_property
    def _verbs(self) -> tuple[_Rule, ...]:
        return _rules(self.data["verbs"], r"\b(?:{})\b")

    @cached_property
    def _nouns(self) -> tuple[_Rule, ...]:
        return _rules(self.data["nouns"], r"\b(?:{})\b")

    @cached_property
    def _commands(self) -> tuple[_Rule, ...]:
        return _rules(self.data["commands"], "{}")

    @cached_property
    def _parameters(self) -> tuple[_ParameterRule, ...]:
        return tuple(
            _ParameterRule(
                _effects(r["effects"]), frozenset(r["any"]), frozenset(r.get("with", ())), r.get("always", False)
            )
            for r in self.data["parameters"]
        )

    @cached_property
    def _requests(self) -> tuple[tuple[Effect, re.Pattern[str]], ...]:
        clause = r"|(?:^|[.,;:!?\n]\s*|\b(?:and|then|please|to|also|you|just)\s+){}\b(?!\s+(?:from|id|with id|about))"
        return tuple(
            (Effect(name), re.compile(r["anywhere"] + (clause.format(r["verb"]) if "verb" in r else ""), re.IGNORECASE))
            for name, r in self.data["requests"].items()
        )

    @cached_property
    def delegation(self) -> re.Pattern[str]:
        """How a user hands the say over to what the agent will read."""
        return re.compile(self.data["delegation"], re.IGNORECASE)

    @cached_property
    def confirmation(self) -> re.Pattern[str]:
        """How a user says yes."""
        return re.compile(self.data["confirmation"], re.IGNORECASE)

    def of_tool(self, name: str, description: str | None = None, parameters: Iterable[str] = ()) -> Effects:
        """Says what a tool can do; empty where nothing tells.

        The name counts first: its leftmost verb, else its nouns. Parameters add what they imply where the name tells
        nothing or no more than that something is written; the description's first sentence is asked where both are
        silent.
        """
        words = name_words(name)
        found = _leftmost(self._verbs, words)
        if found is None:
            found = _leftmost(self._nouns, words)
        given = {p.lower() for p in parameters}
        silent = found is None or found == {Effect.WRITE}
        implied = [r.effects for r in self._parameters if (silent or r.always) and r.fits(given)]
        if implied:
            found = (found or frozenset()).union(*implied)
        if found is None and description:
            sentence = _SENTENCE.split(description.lower(), maxsplit=1)[0]
            found = _leftmost(self._verbs, _THIRD_PERSON.sub("", sentence))
        return found or frozenset()

    def of_call(
        self, name: str, arguments: Mapping[str, Any], description: str | None = None, schema: Iterable[str] = ()
    ) -> Effects:
        """Says what one call does: what its tool can do with these arguments, and what its commands and code do."""
        found = self.of_tool(name, description, arguments or schema)
        if Effect.EXECUTE not in found:
            return found
        for text in self.code(arguments):
            found |= self.of_command(text)
        return found

    def of_command(self, text: str) -> Effects:
        """Says what a command line or code does, by its commands and by the verbs of the programs it names."""
        return _of_command(self, text)

    def code(self, arguments: Mapping[str, Any]) -> list[str]:
        """Returns the arguments that hold commands or code."""
        return [leaf for n, leaf in leaves(arguments) if n.lower() in self.code_arguments and isinstance(leaf, str)]

    def asked(self, text: str) -> Effects:
        """Says what a person's words ask for; what he asks not to do does not count."""
        found: set[Effect] = set()
        for effect, pattern in self._requests:
            for match in pattern.finditer(text):
                if not _NEGATED.search(text[max(0, match.start() - 40) : match.start()].lower()):
                    found.add(effect)
                    break
        return frozenset(found)


@lru_cache(maxsize=16)
def _of_command(catalogue: EffectCatalogue, text: str) -> Effects:
    """Kept for the last few: variants of a trajectory read the same call one after the other."""
    found = frozenset(e for r in catalogue._commands if r.pattern.search(text) for e in r.effects)
    for match in _SNAKE.finditer(text):
        found |= _leftmost(catalogue._verbs, match[0].replace("_", " ")) or frozenset()
    return found


def _effects(names: Iterable[str]) -> Effects:
    return frozenset(Effect(n) for n in names)


def _rules(rows: Iterable[Mapping[str, Any]], frame: str) -> tuple[_Rule, ...]:
    return tuple(
        _Rule(_effects(r["effects"]), re.compile(frame.replace("{}", r.get("words") or r["pattern"]), re.IGNORECASE))
        for r in rows
    )


def _leftmost(rules: tuple[_Rule, ...], text: str) -> Effects | None:
    """The effects of the rule that matches first in the text; among equals the earlier rule."""
    best: tuple[int, Effects] | None = None
    for rule in rules:
        match = rule.pattern.search(text)
        if match and (best is None or match.start() < best[0]):
            best = (match.start(), rule.effects)
    return None if best is None else best[1]


def load_catalogue(path: Path | None = None) -> EffectCatalogue:
    """Loads the packaged catalogue, with a user's file in front of it where given.

    Lists of the user's file are put before ours, anything else in it replaces ours.

    Raises:
        UsageError: the file cannot be read, is no YAML mapping, or a rule in it is malformed.
    """
    data: dict[str, Any] = yaml.safe_load(resources.files(__package__).joinpath("effects.yaml").read_text("utf-8"))
    if path is not None:
        for key, value in _user_rules(path, frozenset(data)).items():
            data[key] = value + data[key] if isinstance(data[key], list) else value
    catalogue = EffectCatalogue(data)
    try:
        catalogue.of_call("run", {"command": "true"})
        catalogue.asked("")
        catalogue.delegation, catalogue.confirmation  # noqa: B018 - compiles them now, so that errors show here
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise UsageError(f"effects catalogue {path}: malformed rule ({error}); compare it with effects.yaml") from error
    return catalogue


def _user_rules(path: Path, known: frozenset[str]) -> dict[str, Any]:
    try:
        given = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"effects catalogue {path}: {error}; give a readable YAML file") from error
    if not isinstance(given, dict):
        raise UsageError(f"effects catalogue {path}: a mapping is needed, with any of {', '.join(sorted(known))}")
    unknown = sorted(set(given) - known)
    if unknown:
        raise UsageError(f"effects catalogue {path}: unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return given
