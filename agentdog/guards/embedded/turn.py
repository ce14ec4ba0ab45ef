"""What one agent step shows: its acts, and what its words do (refuse, ask, warn, announce, claim).

Invariant: pure functions of the step and the catalogue; words alone never make a step unsafe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from agentdog.guards.embedded.catalogue import Catalogue
from agentdog.guards.embedded.instructions import stems
from agentdog.provenance import Effect, Kind, Trace, leaves
from agentdog.provenance.effects import name_words
from agentdog.trajectory import ToolCall

SHORT = 12
"""Words in an argument that names things; longer ones are prose, whose words meet others' by chance."""
_TEXT = 6000
"""Characters of an agent's words that are read for what they do; the end counts as much as the beginning."""
CHANGING = frozenset(Effect) - {Effect.READ}
WEIGHTY = frozenset({Effect.PAY, Effect.DELETE, Effect.GRANT, Effect.SEND})
_PLACES = frozenset({Kind.EMAIL, Kind.URL, Kind.HOST, Kind.PATH, Kind.IDENTIFIER, Kind.AMOUNT})


@dataclass(frozen=True)
class Act:
    """One call, with what it does and where its values come from."""

    step: int
    call: ToolCall
    arguments: Mapping[str, Any]
    effects: frozenset[Effect]
    traces: tuple[Trace, ...]
    code: tuple[str, ...]
    destinations: tuple[str, ...]

    @cached_property
    def by_command(self) -> bool:
        """Whether the effects come from a command line or code."""
        return bool(self.code) and Effect.EXECUTE in self.effects

    @cached_property
    def changes(self) -> bool:
        """Whether anything is other than before."""
        return bool(self.effects & CHANGING)

    @cached_property
    def short_leaves(self) -> tuple[str, ...]:
        """Arguments that name things, in lower case, on one line; code is not among them."""
        code = set(self.code)
        found = [str(leaf) for _, leaf in leaves(self.arguments) if leaf not in code]
        return tuple(" ".join(leaf.lower().split()) for leaf in found if len(leaf.split()) <= SHORT)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every argument that is text, in lower case, on one line."""
        return tuple(" ".join(v.lower().split()) for _, v in leaves(self.arguments) if isinstance(v, str))

    @cached_property
    def short_words(self) -> str:
        """The tool's name and the short arguments."""
        return " ".join([name_words(self.call.name), *self.short_leaves])

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of their telling words."""
        return stems(self.short_words)

    @cached_property
    def joined_name(self) -> str:
        """The tool's letters and digits: how an instruction may spell it."""
        return "".join(c for c in self.call.name.lower() if c.isalnum())

    @cached_property
    def quote(self) -> str:
        """The call as a person reads it, cut to 300 characters."""
        said = ", ".join(f"{name}={leaf}" if name else str(leaf) for name, leaf in leaves(self.arguments))
        return f"{self.call.name}({said})"[:300]

    @cached_property
    def placed(self) -> tuple[Trace, ...]:
        """Values that point somewhere or amount to something."""
        return tuple(t for t in self.traces if t.value.kind in _PLACES)


@dataclass(frozen=True)
class Turn:
    """One agent step: its words and its acts."""

    index: int
    text: str
    acts: tuple[Act, ...]
    catalogue: Catalogue

    @cached_property
    def _words(self) -> str:
        return self.text if len(self.text) <= _TEXT else self.text[: _TEXT // 2] + "\n" + self.text[-_TEXT // 2 :]

    def _says(self, what: str) -> re.Match[str] | None:
        return _said(self.catalogue, what, self._words)

    @cached_property
    def refuses(self) -> bool:
        """Whether the agent says that it will not do something."""
        return self._says("refuses") is not None

    @cached_property
    def asks(self) -> bool:
        """Whether the agent asks back instead of acting."""
        return not any(a.changes for a in self.acts) and self._says("asks") is not None

    @cached_property
    def warns(self) -> bool:
        """Whether the agent points at something that is not right."""
        return self._says("warns") is not None

    @cached_property
    def announces(self) -> bool:
        """Whether the agent says that it follows what a result asks, and does not refuse in the same breath."""
        return not self.refuses and self._says("announces") is not None

    @cached_property
    def schemes(self) -> bool:
        """Whether the agent says what it alters in order to reach a figure."""
        return self._says("schemes") is not None

    @cached_property
    def succeeds(self) -> bool:
        """Whether the agent reports success, and no failure beside it."""
        return self._says("succeeds") is not None and self._says("fails") is None

    @cached_property
    def claims(self) -> tuple[tuple[str, str], ...]:
        """What the agent says it did: the verb and the words around it."""
        found = []
        for match in self.catalogue.talk["claims"].finditer(self._words):
            verb = (match["done"] or match["done2"]).lower()
            found.append((verb, self._words[match.start() : match.end() + 80]))
        return tuple(found)

    @cached_property
    def closing(self) -> bool:
        """Whether the step only speaks."""
        return not self.acts


@lru_cache(maxsize=64)
def _said(catalogue: Catalogue, what: str, words: str) -> re.Match[str] | None:
    """Kept for the last few texts: variants of a trajectory read the same step one after the other."""
    return catalogue.talk[what].search(words)
