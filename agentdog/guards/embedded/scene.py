"""What detectors look at: one agent turn, before the background of everything earlier."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agentdog.guards.embedded import instructions
from agentdog.guards.embedded.catalogue import Catalogue, noisy_or
from agentdog.guards.embedded.forking import forked
from agentdog.guards.embedded.injection import CUE, WEIGHT, InjectionModel
from agentdog.guards.embedded.instructions import Instruction, Origin, telling
from agentdog.guards.embedded.ledger import Ledger
from agentdog.guards.embedded.request import Request
from agentdog.guards.embedded.turn import Act, Turn
from agentdog.provenance import Effect, EffectCatalogue, Kind, ProvenanceIndex, Source, Trace, leaves
from agentdog.provenance.index import SYSTEM_STEP
from agentdog.provenance.values import words
from agentdog.trajectory import Header, Step, Tool, ToolCall

MEMORY = 256
"""Instructions remembered at a time: bounds the cost of comparing a call with them."""
_STRONG = 0.6
"""Strength from which an instruction counts in what a user or an agent wrote: they may speak in imperatives."""
_LISTED = re.compile(r"[\"']function[\"']:\s*\{\s*[\"']name[\"']:\s*[\"']([\w.\-]{1,80})[\"']")
"""A tool of a list that a prompt prints, in the schema of function calling."""


@dataclass
class Scene:
    """Everything before the step that is judged; grows by one step at a time."""

    catalogue: Catalogue
    effects: EffectCatalogue
    trusted_tools: frozenset[str]
    header: Header
    injection: InjectionModel | None = None
    index: ProvenanceIndex = field(init=False)
    request: Request = field(init=False)
    ledger: Ledger = field(init=False)
    instructions: deque[Instruction] = field(init=False)
    seen_strength: float = field(init=False, default=0.0)
    data_words: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        """Begins with what was there from the start."""
        self.index = ProvenanceIndex()
        self.request = Request(self.effects, self.catalogue)
        self.ledger = Ledger(self.catalogue)
        self.instructions = deque(maxlen=MEMORY)
        self._proposal: list[str] = []
        self._user_spoke = False
        self.tools: dict[str, Tool] = {}
        self.redefined: dict[str, Tool] = {}  # as they were described before
        self.offered: set[str] = set()
        self._systems: list[str] = []
        self.meet(self.header.opening())

    def meet(self, arrived: Header) -> None:
        """Reads system prompts and tools' descriptions: at the start, and of what joins with a later step."""
        tools = {t.name: t for agent in arrived.agents.values() for t in agent.tools}
        self.redefined |= {n: self.tools[n] for n, t in tools.items() if n in self.tools and _differ(self.tools[n], t)}
        self.tools.update(tools)
        self.offered.update(tools)
        for agent in arrived.agents.values():
            if agent.system:
                self._systems.append(agent.system)
            self.index.add(agent.system or "", Source.SYSTEM, SYSTEM_STEP)
            self.request.frame(agent.system or "")
            self.offered.update(_LISTED.findall(agent.system or ""))
        for tool in tools.values():
            self._keep(tool.description or "", SYSTEM_STEP, Origin.TOOL)

    def fork(self) -> Scene:
        """Returns a copy that grows on its own."""
        return forked(self)

    def hear_user(self, step: Step, index: int) -> None:
        """Takes in what the user said; a yes takes in what the agent proposed just before."""
        text = step.text
        if self.request.confirms(text):
            for proposal in self._proposal:
                self.request.add(proposal)
                self.index.add(proposal, Source.USER, index)
        self._proposal = []
        self._user_spoke = True  # even where the telemetry lost his words: then the request is not known
        self.request.add(text)
        self.index.add(text, Source.USER, index)
        self.offered.update(_LISTED.findall(text))
        self._keep(text, index, Origin.REQUEST)

    def see(self, step: Step, index: int) -> None:
        """Takes in an observation."""
        text = "\n".join(t for t in (step.text, step.error) if t)
        trusted = step.name in self.trusted_tools
        self.index.add(text, Source.TRUSTED if trusted else Source.UNTRUSTED, index)
        answered = self.ledger.came(text, step.is_error or bool(step.error), index)
        if (
            answered
            and self.request.delegated
            and any(self.request.typed(v) for v in answered.texts if "/" in v or "." in v)
        ):
            self.request.hand_over(text)
        if not trusted:
            self._keep(text, index, Origin.OBSERVATION)

    def _keep(self, text: str, index: int, origin: Origin) -> None:
        """Remembers the instructions of a text."""
        found = instructions.find(text, index, self.catalogue, self.effects, origin)
        if origin is Origin.OBSERVATION and found and self.injection is not None:
            found = _strengthened(found, self.injection.p(text))
        if origin is not Origin.OBSERVATION:
            found = tuple(i for i in found if i.strength >= _STRONG)
        elif found:
            text = instructions.beside(text, found)
        if origin is Origin.OBSERVATION:
            self.data_words.update(words(text))
        self.instructions.extend(found)
        outside = [i.strength for i in found if i.cues and i.origin is not Origin.REQUEST]
        self.seen_strength = max([self.seen_strength, *outside])

    def turn(self, step: Step, index: int) -> Turn:
        """Reads an agent's step against what is known so far, its own words of this step not included."""
        if step.tool_calls and not self._user_spoke:
            self._take_system_as_request()
        return Turn(index, step.text, tuple(self._act(call, index) for call in step.tool_calls), self.catalogue)

    def _take_system_as_request(self) -> None:
        """An agent that no user speaks to works on its system prompt."""
        self._user_spoke = True
        for system in self._systems:
            self.request.add(system)

    def _act(self, call: ToolCall, index: int) -> Act:
        arguments = call.arguments or ({"input": call.arguments_raw} if call.arguments_raw else {})
        tool = self.tools.get(call.name)
        schema = (tool.parameters or {}).get("properties", {}) if tool else {}
        effects = self.effects.of_call(
            call.name, arguments, tool.description if tool else None, schema if isinstance(schema, dict) else ()
        )
        code = tuple(self.effects.code(arguments)) if Effect.EXECUTE in effects else ()
        traces = tuple(self.index.trace(arguments))
        return Act(index, call, arguments, effects, traces, code, self._destinations(arguments, traces, code))

    def _destinations(
        self, arguments: Mapping[str, Any], traces: tuple[Trace, ...], code: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Where a call sends things: arguments named so, and every address or link in a command."""
        named = [str(leaf) for name, leaf in leaves(arguments) if name.lower() in self.effects.destinations]
        if code:
            named += [t.value.quote for t in traces if t.value.kind in (Kind.EMAIL, Kind.URL)]
        return tuple(dict.fromkeys(named))

    def remember(self, turn: Turn, step: Step) -> None:
        """Takes in what the agent said and did, after it was judged."""
        self.index.add(step.text, Source.AGENT, turn.index)
        for act in turn.acts:
            self.index.add_arguments(act.call.arguments or act.call.arguments_raw, Source.AGENT, turn.index)
            self.ledger.did(act)
        if step.text:
            self._proposal = [step.text] if not step.tool_calls else [*self._proposal, step.text]
            # Some transcripts print a result inside the agent's turn: what takes over there is remembered as well.
            self._keep(step.text, turn.index, Origin.REQUEST)

    def vouched(self, trace: Trace) -> bool:
        """Whether someone with authority named the value, or the user pointed at it."""
        return trace.vouched or (trace.value.kind is Kind.EMAIL and self.request.names(trace.value.key))


def _differ(before: Tool, now: Tool) -> bool:
    """Whether a tool is described in other words than before; another date or number is none."""
    return bool(before.description and now.description and telling(before.description) ^ telling(now.description))


def _strengthened(found: tuple[Instruction, ...], p: float) -> tuple[Instruction, ...]:
    """Instructions of a text that a classifier marks as injected are the stronger; below one half it says nothing."""
    if p < 0.5:
        return found
    return tuple(replace(i, strength=noisy_or([i.strength, WEIGHT * p]), cues=(*i.cues, CUE)) for i in found)
