"""What was said before a call, as far as a policy asks: who brought each value in, and what the call does.

Invariant: a function of the steps taken, in order; taking a step costs time linear in its text.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from agentdog.provenance import Effect, EffectCatalogue, Kind, ProvenanceIndex, Source, Trace
from agentdog.provenance.index import SYSTEM_STEP
from agentdog.provenance.values import words
from agentdog.trajectory import Header, Step, ToolCall

_TELLING = 3  # letters that a part of an address needs for the user's word to point at it


class Pending(NamedTuple):
    """A call that is about to be made.

    Attributes:
        call: as the agent made it.
        arguments: decoded; empty where only raw text is known.
        raw: the text of arguments that could not be decoded.
        effects: what it does.
        traces: where its values come from.
        brought_by: step index → the tool whose result it was.
    """

    call: ToolCall
    arguments: Mapping[str, Any]
    raw: str | None
    effects: frozenset[Effect]
    traces: tuple[Trace, ...]
    brought_by: Mapping[int, str]
    named: frozenset[str]
    agent: str | None = None
    project: str | None = None

    def origin(self, trace: Trace) -> Source | None:
        """Who brought a value in, with authority before suspicion; ``None`` when that cannot be said."""
        for source in (Source.SYSTEM, Source.USER, Source.TRUSTED):
            if source in trace.seen:
                return source
        if trace.value.kind is Kind.EMAIL and self._pointed_at(trace.value.key):
            return Source.USER
        return trace.origin

    def _pointed_at(self, address: str) -> bool:
        """Whether the user's words name the person: ``Alice`` of ``alice@corp.example``."""
        parts = (part for part in words(address.split("@", 1)[0]) if len(part) >= _TELLING)
        return any(part in self.named for part in parts)


class Background:
    """Everything before a call; grows by one step at a time."""

    def __init__(self, catalogue: EffectCatalogue, header: Header, trusted_tools: Iterable[str] = ()) -> None:
        self._catalogue = catalogue
        self._trusted = tuple(trusted_tools)
        self._index = ProvenanceIndex()
        self._tools = {tool.name: tool for agent in header.agents.values() for tool in agent.tools}
        self._brought_by: dict[int, str] = {}
        self._named: set[str] = set()
        self._length = 0
        for agent in header.agents.values():
            self._index.add(agent.system or "", Source.SYSTEM, SYSTEM_STEP)

    def fork(self) -> Background:
        """Returns a copy that grows on its own, for less than a reading of the steps costs."""
        twin = copy.copy(self)
        twin._index = self._index.fork()
        twin._brought_by, twin._named = self._brought_by.copy(), self._named.copy()
        return twin

    def extend(self, step: Step) -> None:
        """Takes in one step, as a guard's session does."""
        self.take(step)

    def take(self, step: Step) -> None:
        """Takes in one step."""
        index, self._length = self._length, self._length + 1
        if step.role == "user":
            self._named.update(words(step.text))
            self._index.add(step.text, Source.USER, index)
        elif step.role == "environment":
            name = step.name or ""
            self._brought_by[index] = name
            trusted = any(fnmatchcase(name.lower(), pattern.lower()) for pattern in self._trusted)
            text = "\n".join(t for t in (step.text, step.error) if t)
            self._index.add(text, Source.TRUSTED if trusted else Source.UNTRUSTED, index)
        else:
            self._index.add(step.text, Source.AGENT, index)
            for call in step.tool_calls:
                self._index.add_arguments(call.arguments or call.arguments_raw, Source.AGENT, index)

    def pending(self, call: ToolCall, *, agent: str | None = None, project: str | None = None) -> Pending:
        """Looks at a call before it is made; it is not taken in."""
        arguments = call.arguments
        read = arguments or ({"input": call.arguments_raw} if call.arguments_raw else {})
        tool = self._tools.get(call.name)
        schema = (tool.parameters or {}).get("properties", {}) if tool else {}
        effects = self._catalogue.of_call(
            call.name, read, tool.description if tool else None, schema if isinstance(schema, dict) else ()
        )
        return Pending(
            call=call,
            arguments=arguments,
            raw=call.arguments_raw if not arguments else None,
            effects=effects,
            traces=tuple(self._index.trace(read)),
            brought_by=self._brought_by,
            named=frozenset(self._named),
            agent=agent,
            project=project,
        )
