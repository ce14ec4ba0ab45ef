"""Remembers where each value was first seen, and traces a call's arguments back to it.

Invariant: the index is a function of the texts added, in order; adding a text costs time linear in its length, tracing
a call costs time linear in the call, however long the trajectory is. Only first sightings are kept, one per source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agentdog.provenance.values import Kind, Value, all_spans, extract, leaves, of_argument, spans

_LOCAL = re.compile(r"[\w.+\-]{2,64}@?")
_HOST_ALONE = re.compile(r"@?(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}")
SYSTEM_STEP = -1
"""The step index under which system prompts are remembered: before the first step."""


class Source(StrEnum):
    """Who brought a value in."""

    SYSTEM = "system"
    USER = "user"
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Trace:
    """One value of a call's arguments and where it was seen before.

    Attributes:
        argument: name of the argument that carries it.
        seen: first step per source; empty when the agent made the value up in this call.
    """

    value: Value
    argument: str
    seen: Mapping[Source, int]

    @property
    def origin(self) -> Source:
        """Who said it first; the agent, where nobody did before this call."""
        return min(self.seen, key=lambda s: (self.seen[s], s is not Source.UNTRUSTED), default=Source.AGENT)

    @property
    def vouched(self) -> bool:
        """Whether someone with authority (system prompt, user, trusted tool) said it too."""
        return any(source in self.seen for source in (Source.SYSTEM, Source.USER, Source.TRUSTED))

    @property
    def untrusted_step(self) -> int | None:
        """The observation that alone brought it in, or `None`: someone else said it, or said it earlier."""
        return self.seen[Source.UNTRUSTED] if self.origin is Source.UNTRUSTED and not self.vouched else None


def joined(arguments: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """Returns addresses that a call carries in two neighbouring arguments: ``user=bob, domain=corp.test``."""
    before: str | None = None
    for name, leaf in leaves(arguments):
        plain = leaf.strip() if isinstance(leaf, str) else ""
        if before and _HOST_ALONE.fullmatch(plain):
            yield name, f"{before.rstrip('@')}@{plain.lstrip('@')}"
        before = plain if _LOCAL.fullmatch(plain) else None


class ProvenanceIndex:
    """First sightings of every value, by source."""

    def __init__(self) -> None:
        # What is known of a value is replaced, never changed in place: copies share it.
        self._seen: dict[tuple[Kind, str], Mapping[Source, int]] = {}
        self._spans: dict[str, Mapping[Source, int]] = {}

    def fork(self) -> ProvenanceIndex:
        """Returns a copy that grows on its own, for less than a reading of the texts costs."""
        twin = ProvenanceIndex()
        twin._seen, twin._spans = self._seen.copy(), self._spans.copy()
        return twin

    def add(self, text: str, source: Source, step: int) -> None:
        """Records every value of a text; a value already seen from that source keeps its first step."""
        self._record(extract(text), source, step)
        for span in spans(text):
            known = self._spans.get(span)
            if known is None:
                self._spans[span] = {source: step}
            elif source not in known:
                self._spans[span] = {**known, source: step}

    def add_arguments(self, arguments: Any, source: Source, step: int) -> None:  # noqa: ANN401 - any JSON value
        """Records every value of a call's arguments, numbers included."""
        for name, leaf in leaves(arguments):
            self._record(of_argument(name, leaf), source, step)

    def _record(self, values: Iterable[Value], source: Source, step: int) -> None:
        for value in values:
            known = self._seen.get((value.kind, value.key))
            if known is None:
                self._seen[value.kind, value.key] = {source: step}
            elif source not in known:
                self._seen[value.kind, value.key] = {**known, source: step}

    def seen(self, value: Value) -> Mapping[Source, int]:
        """Returns the first step per source; empty for a value never seen."""
        if value.kind is Kind.SPAN:
            return self._spans.get(value.key, {})
        return self._seen.get((value.kind, value.key), {})

    def trace(self, arguments: Any) -> list[Trace]:  # noqa: ANN401 - any JSON value
        """Traces every value of a call's arguments, each once per argument, in order of appearance."""
        found: dict[tuple[str, Kind, str], Trace] = {}
        for name, leaf in [*leaves(arguments), *joined(arguments)]:
            for value in of_argument(name, leaf):
                found.setdefault((name, value.kind, value.key), Trace(value, name, self.seen(value)))
            if isinstance(leaf, str):
                for span in all_spans(leaf):
                    seen = self._spans.get(span)
                    if seen:  # a span that nobody said is not a value, only text
                        value = Value(Kind.SPAN, span, span)
                        found.setdefault((name, Kind.SPAN, span), Trace(value, name, seen))
        return list(found.values())
