"""Asks one served model for one verdict, in the way of its pack's family.

The verdict and its labels are two requests over the same prefix: the second is asked for what is unsafe only, and is
read from the server's prefix cache. A verdict stands even when its labels cannot be had; the note says so.
"""

from __future__ import annotations

from typing import NamedTuple

import taxonomy
from agentdog.guards import axes
from agentdog.guards.chat_api import Answer, ChatFailure, Usage
from agentdog.guards.desk import Desk, join
from agentdog.guards.first_token import Weighed, begins_verdict, weigh
from agentdog.guards.packs import Labelling, Pack
from agentdog.guards.packs.parse import (
    first_line_verdict,
    labels_begin,
    labels_expression,
    labels_from_json,
    labels_from_lines,
    labels_schema,
    verdict_after,
)
from agentdog.guards.served import TOP, continuing, exactly, forced
from agentdog.guards.verdict import Labels, Outcome, Reason, kept

_WHY = (
    "Explain this verdict in a few sentences: which action decides it, where what led to it came from, what may follow."
    " Quote the words it rests on."
)
_WHY_TOKENS = 512
_WORD_TOKENS = 4  # room for a verdict word in any tokenizer, where a server gives no log-probabilities


class Judged(NamedTuple):
    """A verdict with what it cost and what the model wrote; `begun` of it is what stands before its labels."""

    outcome: Outcome
    p_unsafe: float | None
    labels: Labels | None
    note: str | None
    usage: Usage
    axes: dict[str, dict[str, float]] | None = None
    raw: str | None = None
    begun: str | None = None


async def decide(desk: Desk, rendered: str, tools: str = "") -> Judged:
    """Asks for the verdict alone, and for the labels that some families' answer holds anyway; raises `ChatFailure`."""
    pack, prompt = desk.pack, desk.pack.ask(rendered, tools)
    if pack.family == "thinks_first":
        return await _thinks_first(desk, prompt)
    if pack.family == "labels_only":
        return await _labels_only(desk, prompt)
    return await _verdict_first(desk, prompt)


async def label(desk: Desk, rendered: str, tools: str, judged: Judged) -> Judged:
    """Asks for labels where they are a question of their own; where they cannot be had the note says so."""
    pack = desk.pack
    if pack.family != "verdict_first" or pack.labels is None:
        return judged
    try:
        answer = await _ask_labels(desk, pack.labels, pack.ask(rendered, tools))
    except ChatFailure as failure:
        return judged._replace(note=join(judged.note, f"labels: {failure.reason} ({failure.detail})"))
    labels = _read_labels(pack, answer.text)
    note = None if labels else f"labels: the answer held none ({answer.finish})"
    raw = kept(judged.raw, answer.text)
    return judged._replace(labels=labels, note=join(judged.note, note), usage=judged.usage + answer.usage, raw=raw)


async def analyse(desk: Desk, rendered: str, tools: str, outcome: Outcome) -> Answer:
    """Has the model write why, in its own words; raises `ChatFailure`.

    A model that thinks before it answers writes that, and so does one that names labels only and analyses first (the
    diagnosers of AgentDoG 1.5); of another one a second turn asks for it.
    """
    prompt, pack = desk.pack.ask(rendered, tools), desk.pack
    if pack.family != "verdict_first":
        room = max(pack.max_tokens, pack.labels.max_tokens if pack.labels else 0)
        return await desk.api.chat(desk.messages(prompt), **desk.options(room))
    messages = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": str(outcome)},
        {"role": "user", "content": _WHY},
    ]
    options = {"model": desk.served.model, "max_tokens": _WHY_TOKENS, "temperature": 0}
    return await desk.api.chat(messages, **options, **desk.extra)


async def _verdict_first(desk: Desk, prompt: str) -> Judged:
    pack, served = desk.pack, desk.served
    answer = await _listed(desk, prompt) if served.scores != "none" else None
    if answer is None or not answer.positions:  # no log-probabilities from this server: the word itself must do
        return await _word_only(desk, prompt, answer.usage if answer else Usage())
    usage = answer.usage
    # Some families begin with a line end; the verdict is then the first token that begins one of the two words.
    verdicts = (p for p in answer.positions if begins_verdict(p.written, served.ids, pack.verdict_words))
    position = next(verdicts, answer.positions[0])
    weighed = weigh(position, served.ids, pack.verdict_words)
    if not weighed.complete and served.scores in ("allowed_token_ids", "logit_bias"):
        weighed = await _force_missing(desk, prompt, weighed)
    p_unsafe = weighed.p_unsafe()
    written = position.written.token
    if p_unsafe is None:
        why = f"the first token is {written!r}; safe and unsafe are not in sight"
        raise ChatFailure(Reason.UNPARSABLE, why, raw=kept(answer.text or written))
    note = None if weighed.complete else "one of the two words was not listed: P(unsafe) is a bound"
    if not begins_verdict(position.written, served.ids, pack.verdict_words):
        note = join(note, f"the model itself would begin with {answer.text or written!r}")
    note = join(note, desk.rule.note(p_unsafe))
    return Judged(desk.rule.outcome(p_unsafe), p_unsafe, None, note, usage, raw=kept(answer.text or written))


async def _word_only(desk: Desk, prompt: str, usage: Usage) -> Judged:
    answer = await desk.api.chat(desk.messages(prompt), **desk.options(_WORD_TOKENS))
    outcome = first_line_verdict(answer.text, desk.pack.words)
    if outcome is None:
        why = f"the answer begins {answer.text[:40]!r}, neither safe nor unsafe"
        raise ChatFailure(Reason.UNPARSABLE, why, raw=kept(answer.text))
    note = "the server gives no log-probabilities"
    return Judged(outcome, None, None, note, usage + answer.usage, raw=kept(answer.text))


async def _force_missing(desk: Desk, prompt: str, weighed: Weighed) -> Weighed:
    """Has the server write a missing word: it reports the written token's probability before mask and bias."""
    found, served = weighed._asdict(), desk.served
    for word, token_id in (served.ids._asdict() if served.ids else {}).items():
        if found[word] is None:
            extra = {**continuing(desk.pack), **desk.extra}
            found[word] = await forced(desk.api, served, served.scores, token_id, desk.messages(prompt), **extra)
    return Weighed(**found)


async def _thinks_first(desk: Desk, prompt: str) -> Judged:
    """Streams the analysis and hangs up once verdict and labels are read; the budget is the pack's."""
    pack = desk.pack
    listed = {"logprobs": True, "top_logprobs": TOP} if desk.served.scores != "none" else {}
    answer = await desk.api.stream(
        desk.messages(prompt), lambda text: _is_enough(pack, text), **desk.options(pack.max_tokens), **listed
    )
    # The tokens tell where the verdict stands; a server may strip the chain of thought from the text.
    text = "".join(p.written.token for p in answer.positions) if answer.positions else answer.text
    placed = verdict_after(text, pack.verdict_after or "", pack.words)
    if placed is None:
        why = f"cut at {pack.max_tokens} tokens" if answer.finish == "length" else f"ends {answer.text[-40:]!r}"
        raise ChatFailure(Reason.UNPARSABLE, f"no verdict behind {pack.verdict_after!r}: {why}", raw=kept(text))
    two = tuple(word.strip().casefold() for word in pack.verdict_words)
    p_unsafe = _p_at(pack, answer, placed.at) if text[placed.at :].casefold().startswith(two) else None
    outcome = placed.outcome if p_unsafe is None else desk.rule.outcome(p_unsafe)
    labels = _read_labels(pack, text) if outcome is Outcome.UNSAFE and pack.labels else None
    note = None if p_unsafe is None else desk.rule.note(p_unsafe)
    begun = _begun(pack, text) or f"{text[: placed.at]}{pack.verdict_words[1].strip()}\n"
    return Judged(outcome, p_unsafe, labels, note, answer.usage, raw=kept(text), begun=begun)


async def _labels_only(desk: Desk, prompt: str) -> Judged:
    """Has the labels named of what another guard called unsafe; `ChatFailure` (unparsable) when there is not one."""
    pack, labelling = desk.pack, desk.pack.labels
    if labelling is None:
        raise ChatFailure(Reason.UNPARSABLE, "the pack asks for no labels")
    if labelling.after is None and desk.served.structure in ("structured_outputs", "grammar", "trie"):
        answer = await _ask_labels(desk, labelling, prompt)
    else:
        room = desk.options(labelling.max_tokens)
        answer = await desk.api.stream(desk.messages(prompt), lambda text: _all_written(pack, text), **room)
    labels = _read_labels(pack, answer.text)
    if labels is None:
        raise ChatFailure(Reason.UNPARSABLE, f"the answer held no labels ({answer.finish})", raw=kept(answer.text))
    begun = _begun(pack, answer.text)
    return Judged(Outcome.UNSAFE, None, labels, None, answer.usage, raw=kept(answer.text), begun=begun)


def _begun(pack: Pack, text: str) -> str | None:
    """What the model wrote before the first line of its labels."""
    at = labels_begin(text, pack.labels.headings) if pack.labels else None
    return None if at is None else text[:at]


def _all_written(pack: Pack, text: str) -> bool:
    return text.endswith("\n") and _all_labels(pack, text)


def _all_labels(pack: Pack, text: str) -> bool:
    labels = _read_labels(pack, text)
    return labels is not None and all(getattr(labels, axis) for axis in taxonomy.AXES)


def _is_enough(pack: Pack, text: str) -> bool:
    """Tells whether nothing that is still to come would be read: a verdict in a finished line, and labels if unsafe."""
    if not text.endswith(("\n", ">")):
        return False
    placed = verdict_after(text, pack.verdict_after or "", pack.words)
    if placed is None:
        return False
    return placed.outcome is Outcome.SAFE or pack.labels is None or _all_labels(pack, text)


def _p_at(pack: Pack, answer: Answer, at: int) -> float | None:
    """Weighs the token that covers a character of the text."""
    end = 0
    for position in answer.positions:
        end += len(position.written.token)
        if end > at:
            return weigh(position, None, pack.verdict_words).p_unsafe()
    return None


async def _listed(desk: Desk, prompt: str) -> Answer:
    """Asks for the verdict, unconstrained, with log-probabilities in the best way that was verified."""
    served = desk.served
    fields: dict[str, object] = {"logprobs": True, "top_logprobs": TOP}
    if served.scores == "logprob_token_ids" and served.ids is not None:
        fields = exactly(served.ids)
    elif served.scores == "allowed_token_ids":
        fields |= {"return_tokens_as_token_ids": True}
    return await desk.api.chat(desk.messages(prompt), **desk.options(desk.pack.max_tokens), **fields)


async def _ask_labels(desk: Desk, labelling: Labelling, prompt: str) -> Answer:
    if desk.served.structure == "trie":
        return Answer(text=await axes.written(desk, prompt), finish="stop", positions=(), usage=Usage())
    form: dict[str, object] = {}
    if labelling.form == "lines":
        if desk.served.structure == "structured_outputs":
            form = {"structured_outputs": {"regex": desk.pack.lines_expression}}
        elif desk.served.structure == "grammar":
            form = {"grammar": desk.pack.lines_grammar}
        return await desk.api.chat(desk.messages(prompt), **desk.options(labelling.max_tokens), **form)
    messages = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": "unsafe"},
        {"role": "user", "content": desk.pack.ask_labels()},
    ]
    form = {}
    if desk.served.structure == "structured_outputs":
        form = {"structured_outputs": {"regex": labels_expression(desk.pack.taxonomy)}}
    elif desk.served.structure == "response_format":
        schema = {"name": "labels", "strict": True, "schema": labels_schema(desk.pack.taxonomy)}
        form = {"response_format": {"type": "json_schema", "json_schema": schema}}
    options = {"model": desk.served.model, "max_tokens": labelling.max_tokens, "temperature": 0}
    return await desk.api.chat(messages, **options, **form, **desk.extra)


def _read_labels(pack: Pack, text: str) -> Labels | None:
    """Reads labels in the pack's form; ``None`` when there is not one."""
    labelling = pack.labels
    if labelling is None:
        return None
    labels = (
        labels_from_json(text, pack.taxonomy)
        if labelling.form == "json"
        else labels_from_lines(text, labelling.headings, pack.taxonomy)
    )
    return labels if any(getattr(labels, axis) for axis in taxonomy.AXES) else None
