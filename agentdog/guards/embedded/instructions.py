"""Finds instructions inside observations: words that tell the agent to act, and how they come to speak to it.

Invariant: a pure function of the text. Finding one accuses nobody: an agent that reads an instruction and leaves it
alone is safe; `detectors.obeyed_instruction` compares what it then does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache

from agentdog.guards.embedded.catalogue import Catalogue, noisy_or
from agentdog.provenance import Effect, EffectCatalogue, Kind, extract, normalise
from agentdog.provenance.values import words

MAX_PER_TEXT = 64
"""Instructions kept of one observation, strongest first; a manual of a thousand imperatives must not cost memory."""

_SENTENCE = re.compile(
    r"(?<=[.!?;])\s+|(?<=[a-z0-9%)][.!?])(?=[A-Z])|(?<=[。！？])|\s*\n+\s*|<!--|-->"  # noqa: RUF001
    r"|[\"']\s*[,}\]]\s*[\"'{\[]?|\\n|[\"']\s*:\s*[\"']"
)
_FIELD = re.compile(r"\n\s*(?:- )?[a-z][a-z_]{1,24}:\s|[\"']\s*,\s*[\"'][\w ]{1,30}[\"']\s*:|</\w{2,20}>|-->")
"""Where a passage ends: the next field of a record, or the end of an element."""
_WRAP = re.compile(r"(?<=[\w,'’])[ \t]*\n[ \t]*(?=[a-z(]|['\"]{1,2}\w)(?![a-z_]{2,24}:\s)")  # noqa: RUF001
"""A line break inside a sentence, as YAML and e-mail fold their lines."""
_ADDRESS = re.compile(r"\S*@\S*|\S*://\S*|\bwww\.\S*")
_QUOTED = 60
_LONGEST = 600
_TELLING = 4
_STEM = 6
_BACK = 240
"""Characters that stand in a call only if it quotes an instruction; the longest quote; letters in a telling word,
shorter ones are mostly grammar; letters by which two words are taken for one; characters before a cue in which its
sentence begins."""
COMMON = frozenset(
    words(
        "this that with from have your will they them then than what when where which there their about into also "
        "just been were does done make please must should would could following after before first some more only "
        "very here instruction instructions important message user users tool tools true false null none want need"
    )
)


class Origin(StrEnum):
    """Where an instruction stands."""

    OBSERVATION = "observation"
    REQUEST = "request"
    TOOL = "tool"


@dataclass(frozen=True)
class Instruction:
    """One instruction: its words, the cues that make it one, and what a call that obeys it would share with it."""

    step: int
    quote: str
    cues: tuple[str, ...]
    strength: float
    origin: Origin
    catalogue: EffectCatalogue = field(repr=False, compare=False)

    @cached_property
    def effects(self) -> frozenset[Effect]:
        """What its words ask for."""
        return self.catalogue.asked(normalise(self.quote))

    @cached_property
    def values(self) -> frozenset[tuple[Kind, str]]:
        """The values that stand in it."""
        return frozenset((v.kind, v.key) for v in extract(self.quote))

    @cached_property
    def plain(self) -> str:
        """Its words on one line, normalised, in lower case."""
        return " ".join(normalise(self.quote).lower().split())

    @cached_property
    def opening(self) -> str:
        """Its first words, by which a call that quotes it is told from one that obeys it."""
        return self.plain.strip(" -'\"")[:_QUOTED]

    @cached_property
    def joined(self) -> str:
        """Its letters and digits alone: the names of tools are found in it however they are written."""
        return "".join(c for c in self.plain if c.isalnum())

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of its telling words."""
        return stems(self.plain)


def beside(text: str, found: Iterable[Instruction]) -> str:
    """Returns a text without the instructions found in it: what is left is data."""
    text = _unfolded(text)
    for instruction in found:
        text = text.replace(instruction.quote, "\n")
    return text


def telling(text: str) -> frozenset[str]:
    """Returns the words of a text that could tell one subject from another."""
    return frozenset(w for w in words(text) if len(w) >= _TELLING and w not in COMMON)


def stems(text: str) -> frozenset[str]:
    """Returns the beginnings of a text's telling words: ``reserve`` and ``reservation`` share theirs."""
    return frozenset(w[:_STEM] for w in telling(_ADDRESS.sub(" ", text)))


@lru_cache(maxsize=16)
def find(
    text: str, step: int, catalogue: Catalogue, effects: EffectCatalogue, origin: Origin = Origin.OBSERVATION
) -> tuple[Instruction, ...]:
    """Returns the instructions of a text, strongest first.

    A cue colours the passage behind it, and all of that passage is one instruction, in whatever language. Outside of
    passages an imperative sentence is one, together with the sentence behind it. Of what has authority or is the
    agent's own (any origin but an observation) only passages count. The last few texts are kept: variants of a
    trajectory read the same step one after the other.
    """
    text = _unfolded(text)
    passages = list(_passages(text, catalogue))
    quotes = [(text[a:b], names) for a, b, names in passages]
    if origin is Origin.OBSERVATION:
        sentences = list(_sentences(text))
        for number, (start, sentence) in enumerate(sentences):
            inside = any(a <= start < b for a, b, _ in passages)
            if inside or not catalogue.imperative.pattern.holds(sentence):
                continue
            follows = sentences[number + 1][1] if number + 1 < len(sentences) else ""
            quotes.append((f"{sentence} {follows}" if _continues(follows) else sentence, frozenset()))
    # A text may repeat itself, and once is enough to obey it.
    found = [_instruction(q, step, names, catalogue, effects, origin) for q, names in dict.fromkeys(quotes)]
    found.sort(key=lambda i: -i.strength)
    return tuple(found[:MAX_PER_TEXT])


def _unfolded(text: str) -> str:
    """Undoes what JSON, Python and YAML do to lines: escaped breaks become breaks, folded lines become one."""
    if "\\" in text:
        text = text.replace("\\n", "\n").replace("\\t", " ")
    return _WRAP.sub(" ", text)


def _continues(sentence: str) -> bool:
    return sentence[:3].lower() in ("use", "and", "the", "als", "inc", "wit", "if ", "mak", "ens", "it ")


def _instruction(
    quote: str, step: int, cues: frozenset[str], catalogue: Catalogue, effects: EffectCatalogue, origin: Origin
) -> Instruction:
    quote = quote.strip()[:_LONGEST]
    weights = [c.weight for c in catalogue.cues if c.name in cues]
    return Instruction(
        step=step,
        quote=quote,
        cues=tuple(sorted(cues)),
        strength=noisy_or([catalogue.imperative.weight, *weights]),
        origin=origin,
        catalogue=effects,
    )


def _passages(text: str, catalogue: Catalogue) -> Iterator[tuple[int, int, frozenset[str]]]:
    """Stretches of text that cues colour, each up to the end of its field; cues within reach colour together."""
    lowered = text.lower()
    marks = sorted((m.start(), m.end(), c.name) for c in catalogue.cues for m in c.pattern.finditer(text, lowered))
    current: tuple[int, int, frozenset[str]] | None = None
    for start, end, name in marks:
        if current and start < current[1]:
            first, reach, names = current
            current = (first, max(reach, _end(text, end, catalogue.reach)), names | {name})
        else:
            if current:
                yield current
            current = (_begin(text, start), _end(text, end, catalogue.reach), frozenset([name]))
    if current:
        yield current


def _begin(text: str, at: int) -> int:
    """Goes back to where the sentence of a cue begins: "Send it to X and tell nobody" is one instruction."""
    ends = [m.end() for m in _SENTENCE.finditer(text, max(0, at - _BACK), at + 1) if m.end() <= at]
    return ends[-1] if ends else at if at > _BACK else 0


def _end(text: str, at: int, reach: int) -> int:
    field = _FIELD.search(text, at, min(len(text), at + reach))
    return field.start() if field else min(len(text), at + reach)


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """Cuts a text, prose or JSON, into sentences, each with its place."""
    at = 0
    for cut in _SENTENCE.finditer(text):
        if text[at : cut.start()].strip():
            yield at, text[at : cut.start()].strip()
        at = max(at, cut.end())
    if text[at:].strip():
        yield at, text[at:].strip()
