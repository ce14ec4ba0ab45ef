"""How likely each label of each axis is, asked one token at a time over a cached prefix; and labels written that way.

Each axis is read behind the likeliest labels of the axes before it, in the order in which the pack's answer names them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

import taxonomy
from agentdog.guards.chat_api import ChatFailure
from agentdog.guards.desk import Desk, join
from agentdog.guards.packs import Pack
from agentdog.guards.packs.parse import as_listed
from agentdog.guards.served import continuing, tokens
from agentdog.guards.trie import Path, branches, distribution
from agentdog.guards.verdict import Labels, Reason


class Question(NamedTuple):
    """One axis at its place: the tokens before it, and each label's own."""

    axis: taxonomy.AxisId
    before: tuple[int, ...]
    sequences: dict[str, tuple[int, ...]]


class Form(NamedTuple):
    """How the pack's answer is written around the labels.

    `opening`, then per axis a heading, the name and an ending, then `closing`.
    """

    opening: str
    headings: Mapping[taxonomy.AxisId, str]
    ending: str
    closing: str = ""


def form_of(pack: Pack) -> Form | None:
    """Returns the form of an answer with labels; ``None`` for a pack without them."""
    if pack.labels is None:
        return None
    if pack.labels.form == "json":
        keys = {axis: ("," if at else "{") + f'"{axis}":"' for at, axis in enumerate(taxonomy.AXES)}
        return Form("", keys, '"', "}")
    return Form(pack.opening, {axis: f"{h}: " for axis, h in pack.labels.headings.items()}, "\n")


async def distributions(desk: Desk, prompt: str, begun: str | None = None) -> dict[str, dict[str, float]]:
    """Returns axis → label id → probability, likeliest first; raises `ChatFailure`.

    `begun` is what the model wrote before its labels, where it wrote more than the pack's opening.
    """
    return {question.axis: found async for question, found in answers(desk, prompt, begun)}


async def answers(
    desk: Desk, prompt: str, begun: str | None = None
) -> AsyncIterator[tuple[Question, dict[str, float]]]:
    """Yields each axis' question with its answer; raises `ChatFailure`."""
    form = form_of(desk.pack)
    if form is None:
        return
    opening = form.opening if begun is None else begun
    before = (*await conversation(desk, prompt), *await _tokens(desk, opening))
    for axis, heading in form.headings.items():
        question = await ask_for(desk, axis, heading, form.ending, before)
        found = await answer(desk, question)
        yield question, found
        before = (*question.before, *question.sequences[next(iter(found))])


async def written(desk: Desk, prompt: str) -> str:
    """Writes the labels of an unsafe answer; raises `ChatFailure`.

    Greedy decoding held to the labels' trie: wherever labels part, the likeliest token among those that go on.
    """
    form = form_of(desk.pack)
    if form is None:
        return ""
    before, text = (*await conversation(desk, prompt), *await _tokens(desk, form.opening)), form.opening
    for axis, heading in form.headings.items():
        question = await ask_for(desk, axis, heading, form.ending, before)
        chosen = await _likeliest(desk, question)
        label = next(entry for entry in desk.pack.taxonomy.axis(axis).labels if entry.id == chosen)
        text += f"{heading}{as_listed(label, desk.pack.shown)}{form.ending}"
        before = (*question.before, *question.sequences[chosen])
    return text + form.closing


async def _likeliest(desk: Desk, question: Question) -> str:
    nodes = branches(question.sequences)
    path: Path = ()
    while len(left := [label for label, ids in question.sequences.items() if ids[: len(path)] == path]) > 1:
        if path in nodes:
            listed = await _weigh(desk, (*question.before, *path), nodes[path])
            path = (*path, max(listed, key=lambda token: listed[token]))
        else:
            path = (*path, question.sequences[left[0]][len(path)])
    return left[0]


async def ask_for(desk: Desk, axis: taxonomy.AxisId, heading: str, ending: str, before: Sequence[int]) -> Question:
    """Tokenises an axis' labels as they stand behind their heading."""
    # A blank before a name belongs to the name's first token.
    lead = " " if heading.endswith(" ") else ""
    place = (*before, *await _tokens(desk, heading.removesuffix(" ") if lead else heading))
    labels = desk.pack.taxonomy.axis(axis).labels
    names = [as_listed(label, desk.pack.shown) for label in labels]
    written = await asyncio.gather(*(_tokens(desk, f"{lead}{name}{ending}") for name in names))
    sequences = {label.id: ids for label, ids in zip(labels, written, strict=True)}
    try:
        branches(sequences)
    except ValueError as error:
        raise ChatFailure(Reason.GUARD_ERROR, f"labels cannot be told apart: {error}") from error
    return Question(axis, place, sequences)


async def answer(desk: Desk, question: Question) -> dict[str, float]:
    """Asks at every node where labels part, all at once."""
    nodes = branches(question.sequences)
    listed = await asyncio.gather(
        *(_weigh(desk, (*question.before, *path), children) for path, children in nodes.items())
    )
    return distribution(question.sequences, dict(zip(nodes, listed, strict=True)))


async def _weigh(desk: Desk, before: Sequence[int], children: Sequence[int]) -> dict[int, float]:
    return await desk.api.next_token(before, children, model=desk.served.model, **desk.extra)


def compared(written: Labels | None, found: Mapping[str, Mapping[str, float]]) -> str | None:
    """Says where the written labels are not the likeliest ones."""
    notes = []
    for axis, shares in found.items():
        best, share = next(iter(shares.items()))
        greedy = getattr(written, axis) if written else None
        if greedy not in (None, best):
            notes.append(f"{axis}: {best} is likelier ({share:.2f}) than {greedy} as written ({shares[greedy]:.2f})")
    return join(*notes)


async def conversation(desk: Desk, prompt: str) -> tuple[int, ...]:
    """Returns the tokens of everything up to where the labels' answer begins."""
    messages, begun = desk.messages(prompt), continuing(desk.pack)
    if desk.pack.labels is not None and desk.pack.labels.form == "json":
        second = [{"role": "assistant", "content": "unsafe"}, {"role": "user", "content": desk.pack.ask_labels()}]
        messages, begun = [{"role": "user", "content": prompt}, *second], {}
    body = await desk.api.post_root("/tokenize", {"model": desk.served.model, "messages": messages, **begun})
    return _ids(body)


async def _tokens(desk: Desk, text: str) -> tuple[int, ...]:
    return tuple(await tokens(desk.api, desk.served.kind, desk.served.model, text) or ())


def _ids(body: object) -> tuple[int, ...]:
    found = body.get("tokens") if isinstance(body, dict) else None
    if not isinstance(found, list):
        raise ChatFailure(Reason.GUARD_ERROR, "the server gives no token ids of a conversation")
    return tuple(found)
