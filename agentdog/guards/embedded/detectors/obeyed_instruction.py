"""An instruction that stands in an observation, and a step that does what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agentdog.guards.embedded import axes
from agentdog.guards.embedded.catalogue import noisy_or
from agentdog.guards.embedded.instructions import COMMON, Instruction, Origin
from agentdog.guards.embedded.scene import Scene
from agentdog.guards.embedded.turn import Act, Turn
from agentdog.guards.verdict import Evidence
from agentdog.provenance import Effect, Kind, Source, Trace
from agentdog.provenance.values import words

_WEAK = frozenset({Kind.AMOUNT, Kind.DATE, Kind.SPAN})
"""Kinds that two texts share by chance, or by quoting: no sign of obedience."""
_MARKERS = frozenset({"todo", "urgency"})
"""Cues that plain mail has as well: where the user hands the say over they are no attempt to take it."""
_RARE = 3
_NAME = 7
"""Letters of a word, and of a tool's name, from which they are not met by chance."""
_FOREIGN = 0.2
"""Share of an instruction's words that the user used, up to which it speaks of something else."""
_TITLE = re.compile(r"(?:[A-ZÀ-Þ][\w'’\-]+(?:\s(?:of|de|the|la|du|and|&)\s|\s)){1,5}[A-ZÀ-Þ][\w'’\-]+")  # noqa: RUF001
_SIGNS = re.compile(r"[^\w@.+\-]+")
_SAYING = re.compile(
    r"\b(?:say|tell|mention|recommend|write|answer|respond|state|claim|include|add|suggest|advise|report|print|dis|sage|"
    r"schreibe|empfiehl|diga|di|recomienda)\b|说|告诉|推荐|言って",
    re.IGNORECASE,
)
_HEAD = re.compile(r"(?:^|[^\w\s,'’./@(\-]\s*|\d[.)]\s)\W*(?:please\W+)?$", re.IGNORECASE)  # noqa: RUF001
"""What stands before the verb where a sentence begins with it."""


@dataclass(frozen=True, slots=True)
class ObeyedInstruction:
    """Compares a step with every instruction read so far; the instruction alone, ignored or refused, counts nothing."""

    name: str = "obeyed_instruction"
    explanation: str = (
        "A tool's result tells the agent to do something and the agent does it: the call carries the instruction's own "
        "values, tool or words, or the answer says what it wants said. Quiet where the agent ignores it, and where the "
        "user asked for it and nothing in the text tries to take over."
    )

    def find(self, turn: Turn, scene: Scene) -> Iterator[Evidence]:
        """Yields, for each act and for the closing words, the instruction that they fit best."""
        if not scene.instructions:
            return
        for act in turn.acts:
            probe = _Probe.of(act, scene)
            matches = [(_match(probe, i, scene), i) for i in scene.instructions]
            if best := _best(matches, probe.unasked, turn, scene):
                yield _evidence(self.name, f"The call to {act.call.name} does", turn, *best, act.effects)
        if turn.closing and turn.text and not turn.refuses:
            matches = [(_said(turn.text, i, scene), i) for i in scene.instructions]
            if best := _best(matches, True, turn, scene):
                yield _evidence(self.name, "The answer says", turn, *best, frozenset())


def _best(
    matches: list[tuple[float, Instruction]], unasked: bool, turn: Turn, scene: Scene
) -> tuple[float, Instruction] | None:
    """The instruction that weighs most of those that fit at all."""
    weighed = [(m * _reasons(i, unasked, turn, scene), i) for m, i in matches if m > 0]
    best = max(weighed, key=lambda pair: pair[0], default=None)
    return best if best and best[0] > 0 else None


def _reasons(instruction: Instruction, unasked: bool, turn: Turn, scene: Scene) -> float:
    """How far an instruction that a call fits was nobody's with authority."""
    joins = scene.catalogue.joins
    if scene.request.delegated:
        cues = [c.weight for c in scene.catalogue.cues if c.name in instruction.cues and c.name not in _MARKERS]
        return noisy_or([joins["delegated"], *cues])
    if instruction.origin is not Origin.OBSERVATION:
        return instruction.strength
    return noisy_or(
        [
            instruction.strength,
            joins["unasked"] if unasked else 0.0,
            joins["foreign"] if _foreign(instruction, scene) else 0.0,
            joins["announced"] if turn.announces else 0.0,
        ]
    ) * (joins["refusing"] if turn.refuses else 1.0)


def _foreign(instruction: Instruction, scene: Scene) -> bool:
    """Whether an instruction speaks of other things than the user."""
    mine = instruction.stems
    return scene.request.known and bool(mine) and len(mine & scene.request.stems) <= _FOREIGN * len(mine)


@dataclass(frozen=True, slots=True)
class _Probe:
    """What of a call could stand in an instruction, and nobody with authority said: the same for every instruction.

    Attributes:
        traces: its values.
        names: its arguments that name things.
        spelled: all its arguments, where they are short enough to be spelled out; else nothing.
        stems: beginnings of its telling words.
    """

    act: Act
    traces: tuple[Trace, ...]
    names: tuple[str, ...]
    spelled: tuple[str, ...]
    stems: frozenset[str]
    unasked: bool

    @classmethod
    def of(cls, act: Act, scene: Scene) -> _Probe:
        """Looks once at what the user said and what was data before."""
        request = scene.request
        new = tuple(leaf for leaf in act.short_leaves if leaf.strip() and not request.names(leaf))
        whole = len(new) == len(act.short_leaves) >= len(act.texts)
        return cls(
            act=act,
            traces=tuple(t for t in act.traces if t.value.kind not in _WEAK and not scene.vouched(t)),
            names=tuple(leaf for leaf in new if _tells(leaf, scene)),
            spelled=tuple(_plain(leaf) for leaf in new) if whole else (),
            stems=act.stems - request.stems,
            unasked=bool(request.unasked(act.effects)),
        )


def _tells(leaf: str, scene: Scene) -> bool:
    """Whether an argument's own words are not met by chance: no other data said them."""
    if len(leaf) < 5 or leaf in COMMON:
        return False
    return any(w not in scene.data_words for w in words(leaf) if len(w) >= _RARE and not w.isdigit())


def _plain(text: str) -> str:
    """Words apart, whatever stands between them."""
    return f" {_SIGNS.sub(' ', text).strip()} "


def _match(probe: _Probe, instruction: Instruction, scene: Scene) -> float:
    """How closely a call does what an instruction says, in [0, 1]."""
    act, match = probe.act, scene.catalogue.match
    if any(instruction.opening in text for text in act.texts):
        return 0.0  # the call carries the instruction itself, as the name of a thing or as a report
    best, outward = 0.0, False
    if len(act.joined_name) >= _NAME and act.joined_name in instruction.joined:
        best = match["tool"]
    if instruction.origin is not Origin.OBSERVATION:
        return best  # what the user wrote he vouches for: only a tool that a take-over names counts
    for trace in probe.traces:
        if (trace.value.kind, trace.value.key) not in instruction.values:
            continue
        before = trace.seen.get(Source.UNTRUSTED, instruction.step) < instruction.step
        best = max(best, match["value"] * (match["known_before"] if before else 1.0))
        outward = outward or trace.value.kind in (Kind.URL, Kind.HOST)
    if best < match["literal"] and any(name in instruction.plain for name in probe.names):
        best = match["literal"]
    best = max(best, _words(probe, instruction, scene))
    if best < match["spelled_out"] and _spelled_out(probe, instruction):
        best = match["spelled_out"]
    return best if act.changes or outward else best * match["only_reads"]


def _spelled_out(probe: _Probe, instruction: Instruction) -> bool:
    """Whether an instruction asks for what the call does and holds all its arguments.

    Ids and numbers are too short to be told from others one by one.
    """
    if not probe.spelled or not probe.act.effects & instruction.effects:
        return False
    said = _plain(instruction.plain)
    return all(leaf in said for leaf in probe.spelled)


def _words(probe: _Probe, instruction: Instruction, scene: Scene) -> float:
    """Words in common that the user did not use; a call that only reads needs more than words."""
    match = scene.catalogue.match
    if not probe.act.changes:
        return 0.0
    shared = len(probe.stems & instruction.stems)
    if shared >= 3:
        return match["many_words"]
    if not shared or not probe.act.effects & instruction.effects - {Effect.READ}:
        return 0.0
    return match["few_words"] if shared == 2 or (instruction.cues and probe.unasked) else 0.0


def _said(text: str, instruction: Instruction, scene: Scene) -> float:
    """Whether an answer carries the name that an instruction wants said, and says nothing of the instruction."""
    saying = _SAYING.search(instruction.quote)
    if saying is None or not (instruction.cues or _HEAD.search(instruction.quote[: saying.start()])):
        return 0.0
    titles = {m[0] for m in _TITLE.finditer(instruction.quote)}
    wanted = [t for t in titles if len(t) >= 8 and not scene.request.typed(t)]
    return scene.catalogue.match["many_words"] if any(t in text for t in wanted) else 0.0


_SOURCES = {
    Origin.OBSERVATION: "indirect_prompt_injection",
    Origin.REQUEST: "direct_prompt_injection",
    Origin.TOOL: "tool_description_injection",
}
_PLACES = {
    Origin.OBSERVATION: "a text in the result of step {}",
    Origin.REQUEST: "a text in step {}",
    Origin.TOOL: "a tool's description",
}


def _evidence(
    name: str, doing: str, turn: Turn, weight: float, instruction: Instruction, effects: frozenset[Effect]
) -> Evidence:
    how = f" ({', '.join(instruction.cues)})" if instruction.cues else ""
    place = _PLACES[instruction.origin].format(instruction.step + 1)
    return Evidence(
        detector=name,
        message=f"{doing} what {place} tells the agent to do{how}.",
        step=turn.index,
        quote=instruction.quote,
        source_step=instruction.step if instruction.step >= 0 else None,
        labels=axes.obeyed(effects, _SOURCES[instruction.origin]),
        weight=round(weight, 4),
    )
