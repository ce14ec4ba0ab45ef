"""What attribution costs: plain reading of every variant beside the tree, interleaved in one run.

``python benchmarks/attribution.py --model FOLDER [--device cuda] [--dtype float32] [--repeats 5]`` needs torch and
transformers. It prints, for AgentDoG's sample trajectories (where they are at hand) and for generated ones of 30 and 60
steps, tokens read, seconds, their ratios, the largest difference between the two, and what the approximate mode costs.
Plain reading is what AgentDoG's scripts do: one forward pass over each whole variant, logits of every position. Where
that takes hours, ``--share 0.05`` reads every twentieth variant in order of length, others at every repeat, and takes
the rest from a fit of seconds = a·L + b·L² (CPU time only; differences are of the variants that were read).
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from agentdog.attribution import likelihood
from agentdog.attribution.causal import CausalModel
from agentdog.attribution.chats import Chats
from agentdog.attribution.likelihood import Likelihood
from agentdog.attribution.messages import Message, messages_of
from agentdog.attribution.result import Attribution, Mode
from agentdog.attribution.trie import Span
from agentdog.guards.engines.folder import read
from agentdog.trajectory.formats import sniff

_WORDS = re.findall(
    r"\w+",
    """order customer address parcel invoice refund account status warehouse delivery courier tracking window morning
    evening payment method credit number city street branch office record ticket agent reply note summary level region
    stock item colour size weight carton pallet shelf route driver depot scanner label barcode receipt balance limit""",
)


class Plain:
    """The same model, every variant read whole: what AgentDoG's scripts do."""

    apart = True

    def __init__(self, causal: CausalModel) -> None:
        self.model, self.name, self.computed, self.plain = causal.model, causal.name, 0, 0

    def score(self, spans: Sequence[Span]) -> list[Likelihood]:
        """Scores variants one after the other."""
        return [self._one(span) for span in spans]

    def sampled(self, spans: Sequence[Span], every: int, first: int) -> tuple[float, dict[Span, Likelihood]]:
        """Reads every so many variants in order of length; returns all CPU seconds, extrapolated, and their scores."""
        ordered = sorted(spans, key=lambda span: len(span.tokens))
        read, lengths, seconds = {}, [], []
        for span in ordered[first % every :: every]:
            began = time.process_time()
            read[span] = self._one(span)
            seconds.append(time.process_time() - began)
            lengths.append(len(span.tokens))
        whole = torch.tensor([[n, n * n] for n in lengths], dtype=torch.float64)
        fit = torch.linalg.lstsq(whole, torch.tensor(seconds, dtype=torch.float64)[:, None]).solution[:, 0]
        return sum(float(fit[0]) * len(s.tokens) + float(fit[1]) * len(s.tokens) ** 2 for s in spans), read

    def _one(self, span: Span) -> Likelihood:
        given = torch.tensor([span.tokens], device=self.model.device)
        start = max(span.start, 1)
        with torch.no_grad():
            logits = self.model(given, use_cache=False).logits[0]
            shares = torch.log_softmax(logits[start - 1 : span.end - 1].float(), -1)
            wanted = given[0, start : span.end]
            total = float(shares.gather(1, wanted[:, None]).double().sum())
        self.computed += len(span.tokens)
        self.plain += len(span.tokens)
        return Likelihood(total, span.end - start)


class Listening:
    """A model that passes on and notes what it was asked."""

    apart = False

    def __init__(self, causal: CausalModel) -> None:
        self.causal, self.name = causal, causal.name
        self.asked: dict[Span, Likelihood] = {}
        self.spans: list[Span] = []
        self.computed = self.plain = 0

    def score(self, spans: Sequence[Span]) -> list[Likelihood]:
        """Scores as the model does."""
        found = self.causal.score(spans)
        self.asked.update(zip(spans, found, strict=True))
        self.spans += spans
        self.computed, self.plain = self.causal.computed, self.causal.plain
        return found


def generated(steps: int, words: int, seed: int = 0) -> list[Message]:
    """Makes a run in which the last action copies from a few earlier results; the same for the same seed."""
    drawn = random.Random(seed)
    made = [Message("user", f"Please settle {_text(drawn, words)}", 0, "user")]
    for index in range(1, steps - 1):
        agent = index % 2 == 1
        text = _text(drawn, words)
        made.append(Message("assistant" if agent else "user", text, index, "agent" if agent else "environment"))
    quoted = [" ".join(made[at].content.split()[:9]) for at in sorted(drawn.sample(range(2, steps - 1, 2), 3))]
    made.append(Message("assistant", f"Action: settle {' and '.join(quoted)} now.", steps - 1, "agent"))
    return made


def _text(drawn: random.Random, words: int) -> str:
    sentences, left = [], words
    while left > 0:
        size = min(left, drawn.randint(6, 14))
        told = " ".join(drawn.choice(_WORDS) for _ in range(size))
        sentences.append(f"{told.capitalize()} {drawn.randint(100, 9999)}.")
        left -= size + 2
    return " ".join(sentences)


def timed(
    model: CausalModel | Plain | Listening, chats: Chats, messages: list[Message], mode: Mode, cuda: bool
) -> tuple[Attribution, float, float]:
    """Returns the attribution, CPU seconds and wall seconds."""
    if cuda:
        torch.cuda.synchronize()
    cpu, wall = time.process_time(), time.perf_counter()
    found = likelihood.explain(model, chats, messages, len(messages) - 1, mode=mode, top_k=3)
    if cuda:
        torch.cuda.synchronize()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def apart(one: Attribution, two: Attribution) -> float:
    """Returns the largest difference of a log-likelihood, a drop or a hold."""
    worst = 0.0
    for a, b in zip(one.steps, two.steps, strict=True):
        worst = max(worst, abs((a.log_likelihood or 0) - (b.log_likelihood or 0)))
        for s, t in zip(a.sentences or (), b.sentences or (), strict=False):
            worst = max(worst, abs(s.drop - t.drop), abs((s.hold or 0) - (t.hold or 0)))
    return worst


def compared(
    causal: CausalModel, name: str, messages: list[Message], repeats: int, modes: Sequence[Mode]
) -> dict[str, Any]:
    """Runs plain and tree in turn, then the approximate mode; medians."""
    chats, plain, cuda = Chats(causal.tokenizer, causal.name), Plain(causal), causal.model.device.type == "cuda"
    row: dict[str, Any] = {"trajectory": name, "steps": len(messages)}
    for mode in modes:
        slow: list[tuple[float, float]] = []
        fast: list[tuple[float, float]] = []
        for _ in range(repeats):
            causal.forget()
            plain.computed = plain.plain = 0
            tree, *seconds = timed(causal, chats, messages, mode, cuda)
            fast.append((seconds[0], seconds[1]))
            whole, *seconds = timed(plain, chats, messages, mode, cuda)
            slow.append((seconds[0], seconds[1]))
        cpu = statistics.median(s[0] for s in slow) / statistics.median(f[0] for f in fast)
        wall = statistics.median(s[1] for s in slow) / statistics.median(f[1] for f in fast)
        tokens = plain.computed / causal.computed
        row[mode] = {
            "tokens_plain": plain.computed,
            "tokens_tree": causal.computed,
            "ratio_tokens": tokens,
            "ratio_cpu": cpu,
            "ratio_wall": wall,
            "wall_plain_s": statistics.median(s[1] for s in slow),
            "wall_tree_s": statistics.median(f[1] for f in fast),
            "largest_difference": apart(tree, whole),
            "largest_log_likelihood": max(abs(s.log_likelihood or 0) for s in whole.steps),
        }
        if mode == "paper" and len(messages) >= 30:
            row["approximate"] = _approximate(causal, chats, messages, tree, slow, repeats, plain.computed)
    return row


def sampled(
    causal: CausalModel, name: str, messages: list[Message], repeats: int, modes: Sequence[Mode], share: float
) -> dict[str, Any]:
    """As `compared`, with plain reading taken from a share of the variants; medians."""
    chats, plain, row = (
        Chats(causal.tokenizer, causal.name),
        Plain(causal),
        {"trajectory": name, "steps": len(messages)},
    )
    for mode in modes:
        ratios, quick, tokens, worst = [], [], [], 0.0
        for repeat in range(repeats):
            causal.forget()
            listening = Listening(causal)
            exact, cpu, _ = timed(listening, chats, messages, mode, False)
            slow, read = plain.sampled(listening.spans, round(1 / share), repeat * 7)
            worst = max([worst, *(abs(read[span].total - listening.asked[span].total) for span in read)])
            ratios.append(slow / cpu)
            tokens.append((listening.plain, listening.computed))
            if mode == "paper" and len(messages) >= 30:
                causal.forget()
                found, cpu, _ = timed(causal, chats, messages, "approximate", False)
                overlap = len(set(found.ranking[:3]) & set(exact.ranking[:3])) / 3
                quick.append((slow / cpu, tokens[-1][0] / causal.computed, overlap))
            last = f", approximate {quick[-1][0]:.1f} ({quick[-1][1]:.1f})" if quick else ""
            told = f"CPU {ratios[-1]:.1f} times (tokens {tokens[-1][0] / tokens[-1][1]:.1f} times){last}"
            print(f"{name}, {mode}, {repeat + 1} of {repeats}: {told}, apart {worst:.1e}", file=sys.stderr, flush=True)
        of_all, computed = tokens[-1]
        row[mode] = {
            "tokens_plain": of_all,
            "tokens_tree": computed,
            "ratio_tokens": of_all / computed,
            "ratio_cpu": statistics.median(ratios),
            "repeats": repeats,
            "variants_read_plainly": len(read),
            "largest_difference": worst,
        }
        if quick:
            cpu, ratio, overlap = (statistics.median(column) for column in zip(*quick, strict=True))
            row["approximate"] = {"ratio_tokens": ratio, "ratio_cpu": cpu, "top_3_overlap": overlap}
    return row


def _approximate(
    causal: CausalModel,
    chats: Chats,
    messages: list[Message],
    exact: Attribution,
    slow: list[tuple[float, float]],
    repeats: int,
    plain: int,
) -> dict[str, Any]:
    seconds = []
    for _ in range(repeats):
        causal.forget()
        found, cpu, wall = timed(causal, chats, messages, "approximate", causal.model.device.type == "cuda")
        seconds.append((cpu, wall))
    return {
        "tokens": causal.computed,
        "ratio_tokens": plain / causal.computed,
        "ratio_cpu": statistics.median(s[0] for s in slow) / statistics.median(s[0] for s in seconds),
        "ratio_wall": statistics.median(s[1] for s in slow) / statistics.median(s[1] for s in seconds),
        "top_3_overlap": len(set(found.ranking[:3]) & set(exact.ranking[:3])) / 3,
    }


def overlaps(causal: CausalModel, runs: Iterator[tuple[str, list[Message]]]) -> Iterator[dict[str, Any]]:
    """How many of the exact leading three steps the approximate mode names, run by run; nothing is timed."""
    chats = Chats(causal.tokenizer, causal.name)
    for name, messages in runs:
        found = []
        for mode in ("paper", "approximate"):
            causal.forget()
            found.append(likelihood.explain(causal, chats, messages, len(messages) - 1, mode=mode, top_k=0))
        exact, guessed = found
        shared = set(exact.ranking[:3]) & set(guessed.ranking[:3])
        weight = sum(exact.steps[at].score for at in guessed.ranking[:3]) / sum(
            exact.steps[at].score for at in exact.ranking[:3]
        )
        yield {"trajectory": name, "steps": len(messages), "top_3_overlap": len(shared) / 3, "gain_share": weight}


def agreements(causal: CausalModel, runs: Iterator[tuple[str, list[Message]]]) -> Iterator[dict[str, Any]]:
    """Compatible mode beside the reference's formulae, written apart from ours and read plainly, run by run."""
    from tests.attribution import there

    chats = Chats(causal.tokenizer, causal.name)
    score = functools.partial(there.of_text, causal.model, causal.tokenizer)
    for name, messages in runs:
        causal.forget()
        ours = likelihood.explain(causal, chats, messages, len(messages) - 1, mode="compatible", top_k=1)
        chat = [{"role": message.role, "content": message.content} for message in messages]
        naive = there.reference(score, chat, there.pieces_of(ours))
        pairs = [(step.score, gain) for step, gain in zip(ours.steps, naive["gains"], strict=True)]
        pairs += [(step.log_likelihood or 0.0, of) for step, of in zip(ours.steps, naive["totals"], strict=True)]
        for at, expected in naive["sentences"].items():
            for own, (drop, hold) in zip(ours.steps[at].sentences or (), expected, strict=True):
                pairs += [(own.drop, drop), (own.hold or 0.0, hold)]
        limit = max(1e-3, 5e-6 * max(map(abs, naive["totals"])))
        gains = [naive["gains"][at] for at in ours.ranking]
        yield {
            "trajectory": name,
            "steps": len(messages),
            "scores": len(pairs),
            "largest_difference": max(abs(one - other) for one, other in pairs),
            "limit": limit,
            "ranking_agrees": all(one >= other - limit for one, other in itertools.pairwise(gains)),
        }


def _runs(given: argparse.Namespace) -> Iterator[tuple[str, list[Message]]]:
    """Yields runs to be compared: so many generated ones of each length, or of each file, of 30 steps and more."""
    wanted = given.overlap or given.agree
    for long in given.long:
        if long.isdigit():
            for seed in range(given.seed, given.seed + wanted):
                yield f"generated, {long} steps, seed {seed}", generated(int(long), given.words, seed)
            continue
        cases = list(sniff.read(Path(long)))
        random.Random(given.seed).shuffle(cases)
        found = 0
        for case in cases:
            messages = messages_of(case.trajectory)
            ends = [at + 1 for at, message in enumerate(messages) if message.role == "assistant"]
            messages = messages[: max(ends, default=0)]
            fits = len(messages) >= 30 and sum(len(message.content) for message in messages) <= given.longest
            if fits and found < wanted:
                found += 1
                yield case.trajectory.id, messages


def _jobs(given: argparse.Namespace) -> Iterator[tuple[str, list[Message], Sequence[Mode]]]:
    """Yields samples, generated runs and those of files, each with its name and the modes."""
    for file in sorted(Path(given.samples).glob("*.json")):
        yield file.name, messages_of(next(iter(sniff.read(file))).trajectory), given.modes
    for long in given.long:
        if long.isdigit():
            name = f"generated, {long} steps"
            yield name, generated(int(long), given.words, given.seed), given.modes
        else:
            for case in sniff.read(Path(long)):
                messages = messages_of(case.trajectory)
                last = max(at for at, message in enumerate(messages) if message.role == "assistant")
                yield case.trajectory.id, messages[: last + 1], ("paper",)


def main() -> None:
    """Prints a row a trajectory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--samples", default="../shared/attribution", help="folder of short samples")
    parser.add_argument("--long", nargs="*", default=["30", "60"], help="generated: numbers of steps; or files")
    parser.add_argument("--words", type=int, default=78, help="of a generated step; about 133 tokens")
    parser.add_argument("--share", type=float, default=1.0, help="of the variants of long runs that are read plainly")
    parser.add_argument("--modes", nargs="*", default=["compatible", "paper"])
    parser.add_argument("--seed", type=int, default=0, help="of generated runs")
    parser.add_argument("--overlap", type=int, default=0, metavar="RUNS", help="only: approximate against exact ranks")
    parser.add_argument("--agree", type=int, default=0, metavar="RUNS", help="only: compatible mode against formulae")
    parser.add_argument("--longest", type=int, default=20_000, help="characters of a file's run, for both")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    causal = CausalModel(read(given.model), dtype=given.dtype, device=given.device)
    if given.agree:
        for row in agreements(causal, _runs(given)):
            print(json.dumps(row), flush=True)
        return
    if given.overlap:
        shares = []
        for row in overlaps(causal, _runs(given)):
            shares.append(row["top_3_overlap"])
            print(json.dumps(row), flush=True)
        print(json.dumps({"runs": len(shares), "mean_top_3_overlap": statistics.mean(shares)}))
        return
    for name, messages, modes in _jobs(given):
        try:
            if given.share < 1 and len(messages) >= 30:
                row = sampled(causal, name, messages, given.repeats, modes, given.share)
            else:
                row = compared(causal, name, messages, given.repeats, modes)
        except Exception as error:  # one trajectory that does not fit must not cost the others
            print(f"{name}: {error}", file=sys.stderr)
            continue
        if given.json:
            print(json.dumps(row), flush=True)
            continue
        for mode in (*modes, "approximate"):
            if mode in row:
                told = ", ".join(f"{key} {value:.4g}" for key, value in row[mode].items())
                print(f"{name} ({row['steps']} steps), {mode}: {told}", flush=True)


if __name__ == "__main__":
    main()
