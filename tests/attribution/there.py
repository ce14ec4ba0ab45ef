"""Attribution in the interpreter that has torch: ``python -m tests.attribution.there MODEL FILE…`` prints JSON.

For every file: ours, and a naive reading of every variant written from the definitions alone, sharing no code with it.
"""

from __future__ import annotations

import functools
import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from agentdog.attribution import Attribution
from agentdog.attribution.messages import messages_of
from agentdog.attribution.run import Explainer
from agentdog.trajectory.formats import sniff

Chat = list[dict[str, str]]
Score = Callable[[Chat, dict[str, str]], tuple[float, int]]


def of_text(model: Any, tokenizer: Any, context: Chat, target: dict[str, str]) -> tuple[float, int]:
    """One forward pass over the whole conversation."""
    whole = tokenizer.apply_chat_template([*context, target], return_dict=False)
    try:
        taken = len(tokenizer.apply_chat_template(context, add_generation_prompt=True, return_dict=False))
    except Exception:
        taken = 0
    with torch.no_grad():
        logits = model(torch.tensor([whole])).logits[0]
    start = max(min(taken, len(whole)), 1)
    shares = torch.log_softmax(logits[start - 1 : -1].double(), -1)
    return float(sum(shares[at - start, whole[at]] for at in range(start, len(whole)))), len(whole) - start


def of_words(model: Any, tokenizer: Any, context: Chat, target: dict[str, str]) -> tuple[float, int]:
    """The same for the target's own words only, as the paper has it."""
    text = tokenizer.apply_chat_template([*context, target], tokenize=False)
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    words = target["content"].strip()
    begin = text.rindex(words)
    own = [at for at, (a, b) in enumerate(read["offset_mapping"]) if b > begin and a < begin + len(words)]
    with torch.no_grad():
        shares = torch.log_softmax(model(torch.tensor([read["input_ids"]])).logits[0].double(), -1)
    return float(sum(shares[at - 1, read["input_ids"][at]] for at in own if at)), len(own)


def paper(score: Score, chat: Chat, pieces: Mapping[int, list[str]]) -> Any:
    """The paper's numbers: step gains of the sum, drop, and hold of the sentence as the only thing read."""
    *before, target = chat
    found = [score(before[:upto], target)[0] for upto in range(len(before) + 1)]
    sentences = {}
    for at, cut in pieces.items():
        less = [
            score([*before[:at], {**before[at], "content": "".join(cut[:index] + cut[index + 1 :])}], target)[0]
            for index in range(len(cut))
        ]
        alone = [score([{**before[at], "content": piece}], target)[0] for piece in cut]
        base = found[at + 1]
        sentences[at] = [(base - without, only - base) for without, only in zip(less, alone, strict=True)]
    return {"totals": found[1:], "gains": [b - a for a, b in itertools.pairwise(found)], "sentences": sentences}


def reference(score: Score, chat: Chat, pieces: Mapping[int, list[str]]) -> Any:
    """The reference's numbers: step gains of the mean, drop and hold of the sums with the whole prefix kept."""
    *before, target = chat
    found = [score(before[:upto], target) for upto in range(len(before) + 1)]
    gains = [b / m - a / n for (a, n), (b, m) in itertools.pairwise(found)]
    sentences = {}
    for at, cut in pieces.items():

        def put(text: str, at: int = at) -> float:
            return score([*before[:at], {**before[at], "content": text}], target)[0]

        base = found[at + 1][0]
        sentences[at] = [
            (base - put("".join(cut[:index] + cut[index + 1 :])), put(piece) - base) for index, piece in enumerate(cut)
        ]
    return {"totals": [total for total, _ in found[1:]], "gains": gains, "sentences": sentences}


def pieces_of(found: Attribution) -> dict[int, list[str]]:
    """The sentences of the steps that were cut, by place."""
    return {at: [s.text for s in step.sentences] for at, step in enumerate(found.steps) if step.sentences}


def main(folder: str, files: Sequence[str]) -> None:
    """Prints one object a file."""
    torch.set_num_threads(1)  # a tiny model: threads would wait for each other
    explainer = Explainer(folder, dtype="float32", device="cpu")
    assert explainer._here is not None
    causal, _ = explainer._here
    rows = []
    for number, file in enumerate(files):
        messages = messages_of(next(iter(sniff.read(Path(file)))).trajectory)
        ours = explainer.explain(messages, len(messages) - 1, mode="compatible", top_k=1)
        paper_found = explainer.explain(messages, len(messages) - 1, mode="paper", top_k=1, attention=True)
        chat = [{"role": message.role, "content": message.content} for message in messages]
        score = functools.partial(of_text, causal.model, causal.tokenizer)
        score_words = functools.partial(of_words, causal.model, causal.tokenizer)
        rows.append(
            {
                "trees": causal.unfit is None,
                "ours": msgspec.to_builtins(ours),
                "paper": msgspec.to_builtins(paper_found),
                "naive": reference(score, chat, pieces_of(ours)),
                # Of every fifth file, since reading plainly is what takes the time.
                "naive_paper": None if number % 5 else paper(score_words, chat, pieces_of(paper_found)),
            }
        )
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
