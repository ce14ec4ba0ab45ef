"""Where in a run something stands: the step that an id, or some words, lead to. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agentdog.store.texts import Passage, holds
from agentdog.store.words import words_of
from agentdog.trajectory import Trajectory

_EXCERPT = 160


def step_of(trajectory: Trajectory, any_id: str) -> int | None:
    """Returns the index of the step that an id leads to: a step's, a span's, a tool call's; ``None`` for the run's."""
    wanted = {any_id, any_id.lower()}
    for step in trajectory.steps:
        names = {step.id, step.tool_call_id, *(call.id for call in step.tool_calls)}
        for source in step.sources:
            names |= {source, source.rpartition(":")[2]}
        if wanted & names:
            return step.index
    return None


def passage_of(passages: Sequence[Passage], query: str) -> Passage | None:
    """Returns the passage that holds most of a query's words; the first of equals."""
    wanted = list(dict.fromkeys(words_of(query)))
    best = max(passages, key=lambda passage: holds(passage.text, wanted), default=None)
    return best if best and holds(best.text, wanted) else None


def excerpt(text: str, query: str) -> str:
    """Returns the part of a text around the first of a query's words, on one line."""
    line = " ".join(text.split())
    low = line.casefold()
    at = min((i for word in words_of(query) if (i := low.find(word)) >= 0), default=0)
    begin = max(0, at - _EXCERPT // 3)
    cut = line[begin : begin + _EXCERPT]
    return ("…" if begin else "") + cut + ("…" if begin + _EXCERPT < len(line) else "")
