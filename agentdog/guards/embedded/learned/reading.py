"""What a learned model reads of a run: behaviour (the embedded guard's signals) and the words of its steps.

Invariant: a pure function of the prefix; taking in a step costs time linear in that step. Three blocks per agent step:
``ran`` (words of everything so far), ``now`` (words of this agent step), ``did`` (signals, so far and in this step).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from agentdog.guards.embedded.forking import forked
from agentdog.guards.embedded.session import EmbeddedSession
from agentdog.provenance import leaves
from agentdog.trajectory import Step

LONGEST = 20_000
"""Characters of one step that are read as words; the beginning and the end count."""
_WORD = re.compile(r"[^\W_]{2,40}")

Words = Counter[str]


def grams(text: str) -> Iterator[str]:
    """Returns words and pairs of neighbouring words, in lower case."""
    found = _WORD.findall(text.lower())
    yield from found
    yield from (f"{a} {b}" for a, b in pairwise(found))


def told(step: Step) -> str:
    """Returns a step as one text: what is said, what is called, what came back."""
    parts = [step.text, step.error or ""]
    for call in step.tool_calls:
        parts.append(call.name)
        parts += [f"{name} {leaf}" for name, leaf in leaves(call.arguments)] or [call.arguments_raw or ""]
    text = "\n".join(p for p in parts if p)
    return text if len(text) <= LONGEST else text[: LONGEST // 2] + "\n" + text[-LONGEST // 2 :]


class Behaviour:
    """Signals so far: the highest of each, and those of the last agent step."""

    def __init__(self) -> None:
        self._highest: dict[str, float] = {}

    def take(self, signals: Mapping[str, float], p: float) -> dict[str, float]:
        """Takes in one agent step; returns the block ``did``."""
        for name, value in signals.items():
            if value > self._highest.get(name, 0.0):
                self._highest[name] = value
        found = {f"so far: {name}": value for name, value in self._highest.items()}
        found |= {f"this step: {name}": value for name, value in signals.items()}
        return {**found, "the unlearned guard's P(unsafe)": p}

    def fork(self) -> Behaviour:
        """Returns one that grows apart."""
        return forked(self)


class Seen(NamedTuple):
    """One agent step as it is learned from: new words since the last one, this step's words, and behaviour."""

    step: int
    new: Words
    now: Words
    did: Mapping[str, float]


def read(session: EmbeddedSession, steps: Sequence[Step]) -> list[Seen]:
    """Reads a whole run; the session is a new one of the unlearned guard."""
    behaviour, new, found = Behaviour(), Counter[str](), []
    for index, step in enumerate(steps):
        session.extend(step)
        words = Counter(grams(told(step)))
        new.update(words)
        if step.role == "agent":
            did = behaviour.take(session.signals[-1][1], session.p_unsafe)
            found.append(Seen(index, new, words, did))
            new = Counter()
    return found
