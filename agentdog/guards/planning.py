"""Which AgentDoG checkpoint fits a GPU, for how many agents: arithmetic over ``guards.yaml``, with its assumptions.

Pure: nothing is asked, nothing is measured. What it cannot know (how fast the card reads, what a quantised form does to
verdicts) it says instead of guessing.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from agentdog.base.errors import UsageError
from agentdog.guards.checkpoints import FORMS, Served, checkpoints

_GIB = 2**30
#: Of the card that a server may use; vLLM's ``--gpu-memory-utilization``.
SHARE = 0.9
#: GiB beside weights and cache, per server: CUDA's context, activations, captured graphs.
OVERHEAD_GIB = 1.5
#: What a form holds beyond the quantised matrices: embeddings stay at 16 bits, scales come on top.
_EXTRA = {"bf16": 1.0, "fp8": 1.1, "4-bit": 1.3}
_GPU = re.compile(r"(\d+(?:\.\d+)?)\s*(?:gi?b?)?", re.IGNORECASE)

Cache = Literal["bf16", "fp8"]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be judged.

    Attributes:
        agents: that run at the same time.
        run_tokens: length of a run while it is judged, as the guard's model counts.
        step_tokens: what one step adds.
        step_s: seconds between an agent's steps.
    """

    agents: int
    run_tokens: int = 4096
    step_tokens: int = 200
    step_s: float = 5.0


class Option(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way to use the card.

    Attributes:
        checkpoint: the gate, by its id.
        form: of the weights.
        diagnoser: the second model on the card, where one was asked for.
        weights_gib: of all models, with what is not quantised.
        cache_gib: what is left for the gate's key-value cache; negative: it does not fit.
        cache_tokens: that it holds.
        context: tokens of the longest prefix; less than the pack's where the cache is smaller than that.
        kept: share of the agents whose run stays in the cache from step to step.
        read_per_s: tokens that the card must read in a second, so that every step is judged in time.
        serve: command lines.
        note: what must be known before one relies on it.
    """

    checkpoint: str
    form: str
    diagnoser: str | None = None
    weights_gib: float
    cache_gib: float
    cache_tokens: int
    context: int
    kept: float
    read_per_s: float
    serve: tuple[str, ...] = ()
    note: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether one whole prefix of half the pack's context can be judged; less is of no use."""
        return bool(self.serve)


def gib(text: str) -> float:
    """Reads ``8GB``, ``8GiB`` or ``8``; cards that are sold by the GB have that many GiB.

    Raises:
        UsageError: it is no size.
    """
    found = _GPU.fullmatch(text.strip())
    if not found or not float(found[1]):
        raise UsageError(f"--gpu: {text!r} is no size: write it as 8GB or 24GB")
    return float(found[1])


def plan(gpu_gib: float, load: Load, *, diagnoser: bool = False, cache: Cache = "bf16") -> tuple[Option, ...]:
    """Returns every judging checkpoint in every form, those that fit first.

    Order: what fits; what keeps more agents' runs; what is quantised less; what is larger.
    """
    known = checkpoints()
    options = [
        _option(gate, form, gpu_gib, load, _partner(gate, known) if diagnoser else None, cache)
        for gate in known
        if gate.judges and gate.kv_bytes
        for form in FORMS
    ]
    forms = list(FORMS)
    return tuple(
        sorted(options, key=lambda o: (not o.fits, -o.kept, forms.index(o.form), -o.weights_gib, o.checkpoint))
    )


def assumptions(load: Load, cache: Cache) -> tuple[str, ...]:
    """Returns what the figures rest on, in sentences."""
    return (
        f"{SHARE:.0%} of the card is used; {OVERHEAD_GIB:g} GiB per server go to CUDA, activations and graphs"
        " (an estimate)",
        "weights: 2, 1 or 0.5 bytes a parameter as bf16, fp8 or 4-bit, and 10 % or 30 % more in the latter two for"
        " embeddings and scales (an estimate; the file's size is the truth)",
        f"cache: bytes per token from guards.yaml, at {cache}; layers that keep a state of fixed size are not counted",
        f"{load.agents} agents run at once, each a run of {load.run_tokens} tokens that grows by {load.step_tokens}"
        f" every {load.step_s:g} s",
        "a run in the cache costs its new tokens, one that was thrown out is read whole",
        "how fast a card reads is not known here: measure it (`agentdog guards check URI`), and what a quantised form"
        " does to verdicts as well (`atbench run`)",
    )


def _partner(gate: Served, known: tuple[Served, ...]) -> Served | None:
    """The fine-grained model of the same base and generation; none where the gate names labels itself."""
    generation, kind = gate.pack.split("-")[1:3]
    if kind in ("fg", "unified"):
        return None
    return next(one for one in known if one.base == gate.base and one.pack == f"agentdog-{generation}-fg")


def _option(gate: Served, form: str, gpu_gib: float, load: Load, second: Served | None, cache: Cache) -> Option:
    models = [gate, second] if second else [gate]
    weights = sum(one.weights_gib[form] for one in models) * _EXTRA[form]
    scale = 0.5 if cache == "fp8" else 1.0
    token = (gate.kv_bytes or 0) * scale / _GIB
    # The diagnoser is asked one prefix at a time.
    aside = (second.kv_bytes or 0) * scale / _GIB * second.context if second else 0.0
    room = gpu_gib * SHARE - weights - OVERHEAD_GIB * len(models) - aside
    tokens = max(int(room / token), 0)
    context = min(gate.context, tokens)
    kept = tokens / (load.agents * load.run_tokens)
    new = load.step_tokens if kept >= 1 else kept * load.step_tokens + (1 - kept) * load.run_tokens
    fits = context >= gate.context // 2
    return Option(
        checkpoint=gate.id,
        form=form,
        diagnoser=second.id if second else None,
        weights_gib=round(weights, 1),
        cache_gib=round(room, 1),
        cache_tokens=tokens,
        context=context,
        kept=round(min(kept, 1.0), 2),
        read_per_s=round(load.agents / load.step_s * new),
        serve=tuple(_serve(one, form, context, cache, len(models)) for one in models) if fits else (),
        note=_notes(gate, form, context),
    )


def _serve(one: Served, form: str, context: int, cache: Cache, servers: int) -> str:
    line = one.serve.replace(f"--max-model-len {one.context}", f"--max-model-len {context}")
    if form == "fp8":
        line += " --quantization fp8"
    if form == "4-bit":
        line = line.replace(one.id, f"./{one.id.split('/')[1]}-AWQ")
    if cache == "fp8":
        line += " --kv-cache-dtype fp8"
    return f"{line} --gpu-memory-utilization {SHARE / servers:.2g}"


def _notes(gate: Served, form: str, context: int) -> tuple[str, ...]:
    notes = list(gate.unsure)
    if form == "fp8":
        notes.append("fp8 is computed as such from Ada and Hopper on; older cards hold it and compute at 16 bits")
    if form == "4-bit":
        notes.append(
            "its authors publish no 4-bit weights: quantise them yourself (AWQ, GPTQ), or serve a GGUF by llama.cpp"
        )
    if context < gate.context:
        notes.append(f"the context is cut from {gate.context} to {context}: longer runs lose their middle")
    if gate.template.thinks == "unless told":
        notes.append("it thinks before it answers, some 400 tokens a verdict, unless a -short pack is used")
    return tuple(notes)
