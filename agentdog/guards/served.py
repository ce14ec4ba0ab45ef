"""What a server serves and what it can do, found out by asking: a server ignores fields that it does not know.

The questions are the warm-up too: the first request for log-probabilities takes half a minute on a cold vLLM.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from agentdog.guards.api import Api
from agentdog.guards.chat_api import ChatFailure
from agentdog.guards.first_token import WordIds, weigh
from agentdog.guards.packs import Pack
from agentdog.guards.packs.pairing import refusal
from agentdog.guards.verdict import Reason

#: Whose server it is; an engine of ours answers as vLLM's does.
Kind = Literal["vllm", "llamacpp", "engine", "other"]
#: How the log-probabilities of exactly the verdict words are had, best first: asked for by id; by allowing one token
#: only; by a bias on one token; from the likeliest tokens, where a word may be missing; not at all.
Scores = Literal["logprob_token_ids", "allowed_token_ids", "logit_bias", "top_logprobs", "none"]
#: How labels are held to the taxonomy: by the server, in vLLM's API, OpenAI's or llama.cpp's; by us, token by token
#: over the labels' trie.
Structure = Literal["structured_outputs", "response_format", "grammar", "trie", "none"]
_OWNERS: dict[object, Kind] = {"vllm": "vllm", "llamacpp": "llamacpp", "agentdog": "engine"}
_LIKE_VLLM = ("vllm", "engine")

#: The question that all of this is found out with; a constant, so that a server's log and a test can tell it.
PROBE = "A test of the connection. Answer with one word, safe or unsafe."
_WORD = "wired-7Q"  # what no model answers to that by itself
TOP = 20  # the most that vLLM (its default) and OpenAI list per position
_SOONER = -1  # a priority before those who name none
_FORCE = 100.0  # logit bias that both OpenAI's API and llama.cpp document as forcing a token


class Served(NamedTuple):
    """A server as it was found.

    Attributes:
        kind: whose server it is, where that is known.
        model: as the server names it.
        context: tokens it takes, prompt and answer together.
        ids: of the verdict words' first tokens.
        scores: how their log-probabilities are had; verified.
        structure: how an answer is held to a form; verified, ``none`` when the server ignores every way.
        root: what the model was loaded from, where the server tells: an alias may hide which one it is.
        priorities: it takes a request's priority; whether it heeds it only its own settings say.
        frame: tokens of everything but the trajectory, answer included; ``None`` where the server counts no messages.
    """

    kind: Kind
    model: str
    context: int | None
    ids: WordIds | None
    scores: Scores = "top_logprobs"
    structure: Structure = "none"
    frame: int | None = None
    root: str = ""
    priorities: bool = False


async def describe(api: Api, wanted: str | None, pack: Pack) -> Served:
    """Asks what is served and verifies what it can do; raises `ChatFailure`."""
    body = await api.get("/models")
    listed = [m for m in body.get("data") or () if isinstance(m, dict)] if isinstance(body, dict) else []
    entry = next((m for m in listed if m.get("id") == wanted), listed[0] if listed else {})
    kind = _OWNERS.get(entry.get("owned_by"), "other")
    model = wanted or entry.get("id")
    if not isinstance(model, str):
        raise ChatFailure(Reason.GUARD_ERROR, "the server lists no model; add ?model=NAME to the guard's URI")
    root = str(entry.get("root") or "")
    for name in (model, root):
        if why := refusal(pack, name):
            raise ChatFailure(Reason.GUARD_ERROR, why)
    limits = (entry.get("max_model_len"), (entry.get("meta") or {}).get("n_ctx"))
    context = next((n for n in limits if isinstance(n, int)), None)
    safe, unsafe = [await tokens(api, kind, model, word) for word in pack.verdict_words]
    served = Served(kind, model, context, WordIds.of(safe or [], unsafe or []), root=root)
    served = served._replace(scores=await _scores(api, served))
    served = served._replace(priorities=kind == "vllm" and await _takes_priorities(api, served))
    if pack.prefill is not None:
        await _prefills(api, served, pack.prefill)
    if pack.labels is not None:
        served = served._replace(structure=await _structure(api, served, pack.labels.form))
    return served._replace(frame=await _frame(api, served, pack))


async def _scores(api: Api, served: Served) -> Scores:
    if served.ids is None:
        answer = await _ask(api, served, max_tokens=1, logprobs=True, top_logprobs=TOP)
        return "top_logprobs" if answer.positions else "none"
    if served.kind in _LIKE_VLLM:
        answer = await _ask(api, served, max_tokens=1, **exactly(served.ids))
        if answer.positions and weigh(answer.positions[0], served.ids).complete:
            return "logprob_token_ids"
    ways: dict[Kind, tuple[Scores, ...]] = {"vllm": ("allowed_token_ids",), "llamacpp": ("logit_bias",)}
    for way in ways.get(served.kind, ()):
        found = [await forced(api, served, way, token_id, _user(PROBE)) for token_id in served.ids]
        # Log-probabilities under a mask or after a bias sum to more than what two tokens can share: not the model's.
        if all(p is not None for p in found) and sum(math.exp(p) for p in found if p is not None) <= 1 + 1e-3:
            return way
    answer = await _ask(api, served, max_tokens=1, logprobs=True, top_logprobs=TOP)
    return "top_logprobs" if answer.positions else "none"


def exactly(ids: WordIds) -> dict[str, object]:
    """The fields by which vLLM lists exactly these tokens, however unlikely they are."""
    return {"logprobs": True, "logprob_token_ids": list(ids), "return_tokens_as_token_ids": True}


async def forced(
    api: Api,
    served: Served,
    way: Scores,
    token_id: int,
    messages: Sequence[Mapping[str, str]],
    **extra: Any,  # noqa: ANN401
) -> float | None:
    """Has one token written and returns its raw log-probability; ``None`` when another one was written."""
    field: dict[str, object] = {"logit_bias": {str(token_id): _FORCE}}
    if way == "allowed_token_ids":
        field = {"allowed_token_ids": [token_id], "return_tokens_as_token_ids": True}
    options = {"model": served.model, "max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": 1}
    answer = await api.chat(messages, **options, **field, **extra)
    if answer.positions and answer.positions[0].written.id == token_id:
        return answer.positions[0].written.logprob
    return None


async def _takes_priorities(api: Api, served: Served) -> bool:
    """Some versions of vLLM refuse a priority where they are not told to heed it."""
    try:
        await _ask(api, served, max_tokens=1, priority=_SOONER)
    except ChatFailure as failure:
        if failure.reason is not Reason.GUARD_ERROR:
            raise
        return False
    return True


async def _structure(api: Api, served: Served, form_wanted: str) -> Structure:
    if served.kind in _LIKE_VLLM and await _holds(api, served, structured_outputs={"regex": _WORD}):
        return "structured_outputs"
    if form_wanted == "lines":  # a JSON schema holds no lines
        if served.kind == "llamacpp" and await _holds(api, served, grammar=f'root ::= "{_WORD}"'):
            return "grammar"
        return "trie" if served.scores == "logprob_token_ids" else "none"
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string", "enum": [_WORD]}},
        "required": ["word"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "word", "strict": True, "schema": schema}}
    try:
        answer = await _ask(api, served, max_tokens=32, response_format=form)
        if json.loads(answer.text) == {"word": _WORD}:
            return "response_format"
    except ValueError:
        pass
    except ChatFailure as failure:
        if failure.reason is not Reason.GUARD_ERROR:
            raise
    # Where what any token is worth can be asked, the labels' trie can be walked from here.
    return "trie" if served.scores == "logprob_token_ids" else "none"


async def _holds(api: Api, served: Served, **form: object) -> bool:
    """Tells whether a way of holding an answer to a form is honoured: no model answers this word by itself."""
    try:
        return bool((await _ask(api, served, max_tokens=16, **form)).text == _WORD)
    except ChatFailure as failure:
        if failure.reason is not Reason.GUARD_ERROR:
            raise
        return False


async def _prefills(api: Api, served: Served, beginning: str) -> None:
    """Verifies that a begun answer is continued; raises `ChatFailure` with the remedy where it is not.

    A server that continues closes nothing: the conversation takes fewer tokens than one whose answer it closes.
    """
    messages = [*_user(PROBE), *prefilled(beginning)]
    if served.kind in _LIKE_VLLM:
        closed = await api.post_root("/tokenize", {"model": served.model, "messages": messages})
        begun = await count(api, served, messages)
        continues = begun is not None and begun < closed.get("count", 0)
    elif served.kind == "llamacpp":
        shaped = await api.post_root("/apply-template", {"messages": messages})
        continues = str(shaped.get("prompt", "")).rstrip().endswith(beginning.rstrip())
    else:
        continues = False
    if not continues:
        raise ChatFailure(Reason.GUARD_ERROR, "this server is not known to continue a begun answer; use the full pack")


def prefilled(beginning: str | None) -> list[dict[str, str]]:
    """The message that begins the answer, where the pack has one."""
    return [] if beginning is None else [{"role": "assistant", "content": beginning}]


def continuing(pack: Pack) -> dict[str, object]:
    """The fields that go with a begun answer and with a template's own options."""
    fields: dict[str, object] = {"chat_template_kwargs": pack.template} if pack.template else {}
    if pack.prefill is not None:
        fields |= {"add_generation_prompt": False, "continue_final_message": True}
    return fields


async def _frame(api: Api, served: Served, pack: Pack) -> int | None:
    """Counts what stands around the trajectory in the longest conversation held about it, and the answer's room."""
    longest = [*_user(pack.ask("")), *prefilled(pack.prefill)]
    room = pack.max_tokens
    if pack.labels is not None and pack.labels.form == "json":
        longest += [{"role": "assistant", "content": "unsafe"}, {"role": "user", "content": pack.ask_labels()}]
    if pack.labels is not None:
        room = max(room, pack.labels.max_tokens)
    counted = await count(api, served, longest, pack.template)
    return None if counted is None else counted + room


async def count(
    api: Api, served: Served, messages: Sequence[Mapping[str, str]], template: Mapping[str, Any] | None = None
) -> int | None:
    """Counts a conversation as the server will read it, template included; ``None`` where it cannot say.

    `template` holds options of the model's own chat template.
    """
    begun = messages[-1]["role"] == "assistant"
    try:
        if served.kind in _LIKE_VLLM:
            extra: dict[str, Any] = {"add_generation_prompt": False, "continue_final_message": True} if begun else {}
            extra |= {"chat_template_kwargs": dict(template)} if template else {}
            body = await api.post_root("/tokenize", {"model": served.model, "messages": list(messages), **extra})
            counted = body.get("count") if isinstance(body, dict) else None
            return counted if isinstance(counted, int) else None
        if served.kind == "llamacpp":
            shaped = await api.post_root("/apply-template", {"messages": list(messages)})
            body = {"content": shaped["prompt"], "add_special": True, "parse_special": True}
            return len((await api.post_root("/tokenize", body))["tokens"])
    except ChatFailure as failure:
        if failure.reason is not Reason.GUARD_ERROR:
            raise
    except (KeyError, TypeError):
        return None
    return None


async def tokens(api: Api, kind: Kind, model: str, text: str) -> list[int] | None:
    """Tokenises a text by itself; ``None`` where the server cannot, so that tokens are then matched by their text."""
    if kind == "other" or not text:
        return None if text else []
    body = {"model": model, "prompt": text, "add_special_tokens": False} if kind in _LIKE_VLLM else {"content": text}
    try:
        answer = await api.post_root("/tokenize", body)
    except ChatFailure as failure:
        if failure.reason in (Reason.GUARD_UNREACHABLE, Reason.TIMED_OUT):
            raise
        return None
    found = answer.get("tokens") if isinstance(answer, dict) else None
    return found if isinstance(found, list) and all(isinstance(t, int) for t in found) else None


def _user(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


async def _ask(api: Api, served: Served, **options: Any) -> Any:  # noqa: ANN401
    return await api.chat(_user(PROBE), model=served.model, temperature=0, **options)
