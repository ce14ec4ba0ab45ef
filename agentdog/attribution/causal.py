"""A causal model of transformers that scores many variants of a text: merged into one tree, each token read once.

Invariant: a score is the one that reading its whole variant by itself would give, up to rounding; where a model's
layers cannot read a tree (recurrent ones, sliding windows), that is found out, and every variant is read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from agentdog.attribution import trie
from agentdog.attribution.likelihood import Likelihood
from agentdog.attribution.rows import Rows, visible
from agentdog.attribution.trie import Span, Wave
from agentdog.base.errors import UsageError
from agentdog.guards.engines.folder import ModelFolder

_BUDGET = {"cpu": 512}  # tokens of one pass
_BUDGET_ELSEWHERE = 2048
_TOLERANCE = {torch.float32: 0.01}  # nats a token by which tree and plain reading may differ in the trial
_TOLERANCE_ELSEWHERE = 0.5


class CausalModel:
    """A model with its tokenizer; raises whatever transformers raises when it cannot be loaded."""

    def __init__(self, folder: ModelFolder, *, dtype: str = "auto", device: str | None = None) -> None:
        transformers_logging.disable_progress_bar()
        where = device or ("cuda" if torch.cuda.is_available() else "cpu")
        # Nothing is fetched, no code out of the folder runs, no pickle is read.
        safe = {"local_files_only": True, "trust_remote_code": False}
        self.name = folder.name
        self.positions = folder.positions
        self.tokenizer = AutoTokenizer.from_pretrained(folder.path, **safe)
        model = AutoModelForCausalLM.from_pretrained(folder.path, dtype=dtype, use_safetensors=True, **safe)
        self.model = model.eval().to(where)
        self.budget = _BUDGET.get(torch.device(where).type, _BUDGET_ELSEWHERE)
        self.computed = self.plain = 0
        self._known: dict[Span, Likelihood] = {}
        self._stack: list[int] = []
        self._rows: Rows | None = None
        self.unfit = self._unfit()

    @property
    def apart(self) -> bool:
        """Whether it reads every variant whole."""
        return self.unfit is not None

    def score(self, spans: Sequence[Span]) -> list[Likelihood]:
        """Scores variants; what was scored before is not read again.

        Raises:
            UsageError: when a variant is longer than the model's context.
        """
        longest = max((len(span.tokens) for span in spans), default=0)
        if self.positions is not None and longest > self.positions:
            raise UsageError(
                f"the trajectory has {longest} tokens, the model {self.name} takes {self.positions}: name an earlier "
                "--step, or a model with a longer context"
            )
        new = [span for span in dict.fromkeys(spans) if span not in self._known]
        if new:
            found = self._in_tree(new) if self.unfit is None else [self._whole(span) for span in new]
            self._known.update(zip(new, found, strict=True))
        self.plain += sum(len(span.tokens) for span in spans)
        return [self._known[span] for span in spans]

    def forget(self) -> None:
        """Frees the rows and what was scored."""
        self._rows, self._stack = None, []
        self._known.clear()
        self.computed = self.plain = 0

    def _in_tree(self, spans: Sequence[Span]) -> list[Likelihood]:
        """Reads spans beside the stack, which stays; where they hardly share it, they take its place."""
        left = trie.leaving(spans, self._stack)
        if max(len(span.tokens) - top.depth for top, span in left) > len(self._stack):
            return self._instead(spans)
        found: dict[tuple[int, int], float] = {}
        rows = self._ready()
        for waves in trie.beside(list({id(top): top for top, _ in left}.values()), self.budget):
            with rows.lent(min(wave.path for wave in waves), sum(wave.size for wave in waves)):
                for wave in waves:
                    self._read(wave, rows, found)
        return [_sum(top, span, found) for top, span in left]

    def _instead(self, spans: Sequence[Span]) -> list[Likelihood]:
        root = trie.build(spans)
        known = min(trie.common(root.tokens, self._stack), _unread(root))
        self._stack = self._stack[:known]
        found: dict[tuple[int, int], float] = {}
        rows = self._ready()
        for wave in trie.waves(root, known, self.budget):
            tokens = self._read(wave, rows, found)
            self._stack = [*self._stack[: wave.path], *tokens[: wave.kept]]
        return [_sum(root, span, found) for span in spans]

    def _read(self, wave: Wave, rows: Rows, found: dict[tuple[int, int], float]) -> list[int]:
        """Reads one wave; notes the log-probability of every wanted token behind its tokens; returns those."""
        rows.cut(wave.path)
        tokens = [t for piece in wave.pieces for t in piece.node.tokens[piece.start : piece.end]]
        depths = [d for piece in wave.pieces for d in range(piece.depth, piece.depth + piece.end - piece.start)]
        asked = _asked(wave)
        device = self.model.device
        given: dict[str, Any] = {}
        if len(wave.pieces) > 1 or wave.kept < len(tokens):
            seen = visible(wave.path, [(p.end - p.start, p.depth, p.parent) for p in wave.pieces])
            given["attention_mask"] = seen[None, None].to(device)
        keep = torch.tensor(sorted({place for place, _, _ in asked}) or [len(tokens) - 1], device=device)
        with torch.inference_mode():
            logits = self.model(
                torch.tensor([tokens], device=device),
                position_ids=torch.tensor([depths], device=device),
                past_key_values=rows,
                use_cache=True,
                logits_to_keep=keep,
                **given,
            ).logits[0]
            if asked:
                of_place = {int(place): row for row, place in enumerate(keep.tolist())}
                at = torch.tensor([of_place[place] for place, _, _ in asked], device=device)
                token = torch.tensor([token for _, token, _ in asked], device=device)
                shares = torch.log_softmax(logits.float(), -1)[at, token].double().cpu().tolist()
                found.update((key, share) for (_, _, key), share in zip(asked, shares, strict=True))
        self.computed += len(tokens)
        return tokens

    def _ready(self) -> Rows:
        if self._rows is None:
            layers = self.model.config.get_text_config().num_hidden_layers
            self._rows = Rows(layers, 4096)
        return self._rows

    def _whole(self, span: Span) -> Likelihood:
        """Reads one variant by itself, nothing kept."""
        start = max(span.start, 1)
        if span.end <= start:
            return Likelihood(0.0, 0)
        with torch.inference_mode():
            given = torch.tensor([span.tokens[: span.end]], device=self.model.device)
            logits = self.model(given, use_cache=False, logits_to_keep=span.end - start + 1).logits[0, :-1]
            shares = torch.log_softmax(logits.float(), -1)
            wanted = torch.tensor(span.tokens[start : span.end], device=self.model.device)
            total = float(shares.gather(1, wanted[:, None]).double().sum())
        self.computed += span.end
        return Likelihood(total, span.end - start)

    def _unfit(self) -> str | None:
        """Says why this model cannot read a tree; ``None`` when a trial gives what plain reading gives."""
        text = self.model.config.get_text_config()
        kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
        window = getattr(text, "sliding_window", None) if getattr(text, "use_sliding_window", True) else None
        if kinds != {"full_attention"} or (window is not None and not getattr(text, "layer_types", None)):
            return "layers that are recurrent or see a window only"
        words = self.tokenizer.encode("The agent reads a message, then pays. " * 40, add_special_tokens=False)[:200]
        trial = [
            Span(tuple(words[:cut] + words[100:130][::way] + words[:20]), cut, cut + 50)
            for cut in (60, 110, 180)
            for way in (1, -1)
        ]
        budget, self.budget = self.budget, 64
        try:
            tree = self._in_tree(trial[:3]) + self._in_tree(trial[3:])
        except Exception as error:  # a model's own code, handed rows and a mask that it may not know; the notes say it
            return f"{type(error).__name__}: {error}"
        finally:
            self.budget = budget
            self.forget()
        plain = [self._whole(span) for span in trial]
        self.forget()
        limit = _TOLERANCE.get(self.model.dtype, _TOLERANCE_ELSEWHERE)
        apart = [abs(a.total - b.total) / max(a.tokens, 1) for a, b in zip(tree, plain, strict=True)]
        # Not `max`, which a number that is none would slip past.
        return None if all(gap <= limit for gap in apart) else f"a trial differs by {max(apart):.2g} nats a token"


def _unread(root: trie.Node) -> int:
    """Rows of the root's edge that need not be read again: what is wanted needs the row in front of it read anew."""
    last = len(root.tokens) - 1
    first = next((index for index, wanted in enumerate(root.wanted) if wanted), last + 1)
    return max(0, min(last, first - 1))


def _asked(wave: Wave) -> list[tuple[int, int, tuple[int, int]]]:
    """Lists (place in the wave, token that is to follow, that token's key) for every wanted token behind its own."""
    asked: list[tuple[int, int, tuple[int, int]]] = []
    at = 0
    for node, start, end, _, _ in wave.pieces:
        for index in range(start, end):
            if index + 1 < len(node.tokens):
                if node.wanted[index + 1]:
                    asked.append((at + index - start, node.tokens[index + 1], (id(node), index + 1)))
                continue
            for token, child in node.children.items():
                if child.wanted[0]:
                    asked.append((at + index - start, token, (id(child), 0)))
        at += end - start
    return asked


def _sum(root: trie.Node, span: Span, found: dict[tuple[int, int], float]) -> Likelihood:
    """Adds up what was found along a variant's path; the very first token has no history and is never scored."""
    total, count, node = 0.0, 0, root
    while True:
        for index in range(len(node.tokens)):
            if max(span.start, 1) <= node.depth + index < span.end:
                total += found[id(node), index]
                count += 1
        if node.end >= len(span.tokens):
            return Likelihood(total, count)
        node = node.children[span.tokens[node.end]]
