"""Rules that people write: which calls are denied, reviewed or allowed before any guard is asked.

Invariant: a rule is read the same way by everybody: the first rule that fits decides, in the order of the file; a rule
fits when every condition that it states holds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from agentdog.provenance import Effect, Kind, Source

#: The policy file's version; raised when an older file would be read otherwise.
VERSION = 1


class Decision(StrEnum):
    """What becomes of a call. `REVIEW`: a person decides; a hook that has nobody to ask takes it as a denial."""

    ALLOW = "allow"
    DENY = "deny"
    REVIEW = "review"


class ArgumentTest(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of one argument; every stated field must hold.

    Attributes:
        equals: the very value.
        one_of: one of these values.
        contains: a text within it, in any case.
        matches: a regular expression found in it.
        not_matches: one not found in it.
        domain_in: the domain of its address or link is one of these, or below one.
        domain_not_in: it is none of these.
        above: a number greater than this.
        below: a number smaller than this.
        present: whether it is given at all.
    """

    equals: str | float | bool | msgspec.UnsetType = msgspec.UNSET
    one_of: tuple[str | float | bool, ...] = ()
    contains: str | None = None
    matches: str | None = None
    not_matches: str | None = None
    domain_in: tuple[str, ...] = ()
    domain_not_in: tuple[str, ...] = ()
    above: float | None = None
    below: float | None = None
    present: bool | None = None


class ProvenanceTest(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """Where a value of the call comes from.

    Attributes:
        origin: who said it first, and nobody with authority after: ``untrusted`` (a tool's result), ``agent`` (nobody
            before the call); or who said it at all: ``system``, ``user``, ``trusted``. Written ``from`` in a file.
        argument: only values in these arguments; all when empty.
        kind: only values of these kinds; without it all but amounts and copied passages, which two texts share by
            chance.
        tool: names of tools (with ``*``) whose result brought it in; only for ``untrusted``.
    """

    origin: Source = msgspec.field(name="from")
    argument: tuple[str, ...] = ()
    kind: tuple[Kind, ...] = ()
    tool: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """One rule.

    Attributes:
        id: unique in its file; every answer that it decides carries it.
        decision: what becomes of the calls that fit.
        reason: one sentence, told to the agent and to people.
        tool: names of tools, ``*`` stands for anything; any of them.
        effect: what the call does, by the effects catalogue; any of them.
        arguments: path of an argument (``to``, ``mail.to``; ``*`` for any) → what is asked of it; all of them.
        provenance: where its values come from.
        agent: names of agents, with ``*``; any of them.
        project: names of projects, with ``*``; any of them.
    """

    id: str
    decision: Decision
    reason: str
    tool: tuple[str, ...] = ()
    effect: tuple[Effect, ...] = ()
    arguments: dict[str, ArgumentTest] = {}
    provenance: ProvenanceTest | None = None
    agent: tuple[str, ...] = ()
    project: tuple[str, ...] = ()


class Policy(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """A policy file: its rules in order, and tools whose results have the user's authority."""

    version: int = VERSION
    trusted_tools: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Returns it as a policy file would hold it."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {"version": self.version} | plain


EMPTY = Policy()
