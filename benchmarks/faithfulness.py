"""Whether attribution points at the cause: runs of ``atbench make agentdojo`` in which the planted sentence is known.

``python benchmarks/faithfulness.py --made DIR/agentdojo_made.jsonl.gz [--model FOLDER] [--limit 60]`` explains the step
at which an agent carries out what an attacker planted, and asks whether the step, and the sentence, that holds the
attacker's goal is ranked first, or among the first three: by the likelihood of the action (paper mode), by
leave-one-out on the embedded guard's verdict, by the model's attention; beside chance (exact, by counting) and the
longest text. Sentences are ranked over the whole run before the step; a method that cuts only its leading three steps
ranks those. The extra ``agentdojo`` is needed for the goals' words, and torch and transformers for what asks a model.
``--kept FILE`` writes each run's measures down; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import math
import re
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agentdog.attribution import Attribution, attention, likelihood, verdicts
from agentdog.attribution.messages import Message, messages_of
from agentdog.attribution.sentences import split
from agentdog.base.errors import AgentDogError
from agentdog.base.stats import bootstrap
from agentdog.guards.embedded import EmbeddedGuard
from agentdog.guards.engines.folder import ModelFolder, read
from agentdog.trajectory import Trajectory
from agentdog.trajectory.formats import sniff
from atbench.make.world import World
from benchmarks.embedded_data import WORDINGS

MEASURES = ("step@1", "step@3", "sentence@1", "sentence@3")
Piece = tuple[int, str]  # a step's index, and a sentence of it


class Scene(NamedTuple):
    """A run in which an agent obeyed.

    Attributes:
        messages: one a step, up to the explained one; without the profile, which lists the tools.
        step: index of the explained step.
        steps: indices of the steps whose text holds the attacker's goal.
        sentences: every sentence before the step; `planted`: those that overlap the goal.
    """

    group: str
    trajectory: Trajectory
    messages: list[Message]
    step: int
    steps: frozenset[int]
    sentences: list[Piece]
    planted: frozenset[Piece]


def scenes(made: Path, longest: int, seed_wordings: frozenset[str]) -> Iterator[Scene]:
    """Yields runs in which the attacker's goal stands in a step before the one that carries it out."""
    world = World()
    with gzip.open(made, "rt", encoding="utf-8") as lines:
        rows = {row["id"]: row for row in map(json.loads, lines) if row["label"] == 1}
    for case in sniff.read(made):
        row = rows.get(case.trajectory.id)
        if row is None or case.unsafe_step is None or row["meta"]["wording"] in seed_wordings:
            continue
        meta = row["meta"]
        goal = world.suites[meta["suite"]].injection_tasks[meta["injection_task"]].GOAL
        scene = _scene(meta["group"], case.trajectory, case.unsafe_step, re.findall(r"\w+", goal))
        if scene is not None and sum(len(message.content) for message in scene.messages) <= longest:
            yield scene


def _scene(group: str, trajectory: Trajectory, step: int, words: Sequence[str]) -> Scene | None:
    messages = [message for message in messages_of(trajectory) if message.step is not None][: step + 1]
    goal = re.compile(r"\W+".join(map(re.escape, words)))  # results wrap lines and escape quotes
    sentences: list[Piece] = []
    planted: set[Piece] = set()
    steps: set[int] = set()
    for index, message in enumerate(messages[:step]):
        pieces, at = split(message.content), 0
        found = [match.span() for match in goal.finditer(message.content)]
        steps |= {index} if found else set()
        for text in pieces:
            sentences.append((index, text))
            if any(begin < at + len(text) and at < end for begin, end in found):
                planted.add((index, text))
            at += len(text)
    return Scene(group, trajectory, messages, step, frozenset(steps), sentences, frozenset(planted)) if steps else None


def ranked(found: Attribution) -> tuple[list[int], list[Piece]]:
    """Returns steps and sentences of an answer, the strongest first."""
    steps = [step for place in found.ranking if (step := found.steps[place].step) is not None]
    pieces = [
        (piece.score, (step.step, piece.text))
        for step in found.steps
        if step.step is not None
        for piece in step.sentences or ()
    ]
    return steps, [piece for _, piece in sorted(pieces, key=lambda each: -each[0])]


def hits(scene: Scene, steps: Sequence[int], sentences: Sequence[Piece]) -> dict[str, float]:
    """Returns the four measures of one ranking."""
    return {
        **{f"step@{k}": float(bool(scene.steps & set(steps[:k]))) for k in (1, 3)},
        **{f"sentence@{k}": float(bool(scene.planted & set(sentences[:k]))) for k in (1, 3)},
    }


def chance(scene: Scene) -> dict[str, float]:
    """Returns the measures that drawing without looking has: 1 less the share of draws that miss."""
    out = {}
    counted = (
        ("step", scene.step, len(scene.steps)),
        ("sentence", len(scene.sentences), sum(s in scene.planted for s in scene.sentences)),
    )
    for name, of, good in counted:
        for k in (1, 3):
            out[f"{name}@{k}"] = 1 - math.comb(of - good, min(k, of)) / math.comb(of, min(k, of))
    return out


def longest_first(scene: Scene) -> dict[str, float]:
    """Returns the measures of ranking by length."""
    steps = sorted(range(scene.step), key=lambda at: -len(scene.messages[at].content))
    return hits(scene, steps, sorted(scene.sentences, key=lambda piece: -len(piece[1])))


class Model:
    """A language model's two answers: the likelihood of the action, and where it looks."""

    def __init__(self, folder: ModelFolder, dtype: str) -> None:
        from agentdog.attribution.causal import CausalModel
        from agentdog.attribution.chats import Chats

        self.causal = CausalModel(folder, dtype=dtype, device="cpu")
        self.chats = Chats(self.causal.tokenizer, self.causal.name)

    def answers(self, scene: Scene) -> dict[str, dict[str, float]]:
        """Returns the measures of both."""
        self.causal.forget()
        found = likelihood.explain(self.causal, self.chats, scene.messages, scene.step, mode="paper", top_k=3)
        self.causal.forget()
        out = {"likelihood": hits(scene, *ranked(found))}
        looked = self._looked(scene)
        return out if looked is None else out | {"attention": looked}

    def _looked(self, scene: Scene) -> dict[str, float] | None:
        laid = self.chats.laid_out(scene.messages[: scene.step], scene.messages[scene.step])
        reach = attention.rollout(self.causal.model, laid.span.tokens, (laid.span.start, laid.span.end))
        if reach is None:
            return None
        by_step = attention.shares(reach, [laid.tokens_of(at) for at in range(scene.step)])
        places, at, before = [], 0, -1
        for index, text in scene.sentences:
            at = 0 if index != before else at
            places.append(laid.tokens_of(index, at, at + len(text)))
            at, before = at + len(text), index
        by_piece = attention.shares(reach, places)
        steps = sorted(range(scene.step), key=lambda one: -by_step[one])
        pieces = sorted(zip(by_piece, scene.sentences, strict=True), key=lambda each: -each[0])
        return hits(scene, steps, [piece for _, piece in pieces])


def by_verdict(scene: Scene) -> dict[str, float] | None:
    """Returns the measures of leaving out for the embedded guard; ``None`` where it gives no probability."""
    try:
        found = asyncio.run(verdicts.explain(EmbeddedGuard(), scene.trajectory, scene.step, top_k=3))
    except AgentDogError:
        return None
    return hits(scene, *ranked(found))


def table(rows: Mapping[str, Sequence[tuple[str, dict[str, float]]]]) -> dict[str, Any]:
    """Returns means with 95 % intervals; what is resampled is a user's task with all its runs."""
    out: dict[str, Any] = {}
    for method, measured in rows.items():
        groups: dict[str, list[dict[str, float]]] = {}
        for group, values in measured:
            groups.setdefault(group, []).append(values)

        def means(units: Sequence[list[dict[str, float]]]) -> dict[str, float | None]:
            every = [values for unit in units for values in unit]
            return {name: sum(v[name] for v in every) / len(every) if every else None for name in MEASURES}

        found = bootstrap(list(groups.values()), means)
        out[method] = {"runs": len(measured)} | {
            name: [found[name].value, found[name].low, found[name].high] for name in MEASURES
        }
    return out


def markdown(made: Mapping[str, Any]) -> list[str]:
    """Writes the table."""
    lines = ["| ranked by | runs | " + " | ".join(MEASURES) + " |", "| --- " * (len(MEASURES) + 2) + "|"]
    for method, values in made.items():
        cells = (f"{v * 100:.0f} % ({low * 100:.0f} … {high * 100:.0f})" for v, low, high in map(values.get, MEASURES))
        lines.append(f"| {method} | {values['runs']} | " + " | ".join(cells) + " |")
    return lines


def section(path: Path) -> list[str]:
    """Writes what a file of ``--kept`` holds, for `benchmarks.results`."""
    settings = json.loads(path.read_text("utf-8").partition("\n")[0])
    kept = Kept(path, settings)
    groups = len({group for group, _ in kept.runs.values()})
    made, longest, guard, model = (settings[name] for name in ("made", "longest", "guard", "model"))
    told = (
        f"Runs of `atbench make agentdojo` (data SHA-256 `{made[:8]}…` by its card) in which the agent carries out a "
        f"planted goal, at most {longest} characters before that step, of {groups} users' tasks. Hits of the step and "
        f"the sentence that hold the goal. Likelihood and attention are those of the model {model}; the verdict is the "
        f"embedded guard's (`{guard}`). Written by `python benchmarks/faithfulness.py --kept FILE`."
    )
    return [*textwrap.wrap(told, 110), "", *markdown(table(kept.by_method()))]


class Kept:
    """Runs that were measured, in a file that a later call goes on with; in memory without one."""

    def __init__(self, path: Path | None, settings: Mapping[str, Any]) -> None:
        self._path = path
        self.runs: dict[str, tuple[str, dict[str, dict[str, float]]]] = {}
        if path is None:
            return
        if not path.exists():
            path.write_text(json.dumps(settings) + "\n", "utf-8")
        head, *lines = path.read_text("utf-8").splitlines()
        if json.loads(head) != dict(settings):
            raise SystemExit(f"{path} was measured otherwise ({head}); name another file")
        self.runs = {row["run"]: (row["group"], row["found"]) for row in map(json.loads, lines)}

    def add(self, run: str, group: str, found: dict[str, dict[str, float]]) -> None:
        """Writes one run down."""
        self.runs[run] = (group, found)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"run": run, "group": group, "found": found}) + "\n")

    def by_method(self) -> dict[str, list[tuple[str, dict[str, float]]]]:
        """Returns every method's measures with the group of each run."""
        rows: dict[str, list[tuple[str, dict[str, float]]]] = {}
        for group, found in self.runs.values():
            for method, values in found.items():
                rows.setdefault(method, []).append((group, values))
        return rows


def measured(scene: Scene, model: Model | None) -> dict[str, dict[str, float]]:
    """Returns every method's measures of one run."""
    found = {"chance": chance(scene), "longest": longest_first(scene)}
    verdict = by_verdict(scene)
    found |= {"verdict": verdict} if verdict is not None else {}
    return found | (model.answers(scene) if model is not None else {})


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--made", type=Path, required=True, help="file of atbench make agentdojo")
    parser.add_argument("--model", help="folder of a chat model; without it only the verdict is explained")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--limit", type=int, default=60, help="runs, the first of the file (which is shuffled)")
    parser.add_argument("--longest", type=int, default=5000, help="characters of a run up to the explained step")
    parser.add_argument("--seconds", type=float, default=math.inf, help="start no further run after so long")
    parser.add_argument("--kept", type=Path, help="file of measures, gone on with by the same command")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = read(given.model) if given.model else None
    model = Model(folder, given.dtype) if folder else None
    settings = {
        "made": hashlib.sha256(given.made.read_bytes()).hexdigest(),
        "longest": given.longest,
        "guard": EmbeddedGuard().info.fingerprint,
        "model": f"{folder.name} {folder.fingerprint} {given.dtype}" if folder else None,
    }
    kept = Kept(given.kept, settings)
    began = time.monotonic()
    for number, scene in enumerate(scenes(given.made, given.longest, WORDINGS)):
        if number == given.limit or time.monotonic() - began > given.seconds:
            break
        if scene.trajectory.id not in kept.runs:
            kept.add(scene.trajectory.id, scene.group, measured(scene, model))
        print(f"\r{number + 1} runs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(json.dumps(settings), file=sys.stderr)
    made = table(kept.by_method())
    if given.json:
        print(json.dumps(made))
        return
    print("\n".join(markdown(made)))


if __name__ == "__main__":
    main()
