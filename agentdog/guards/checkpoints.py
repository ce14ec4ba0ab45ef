"""The published AgentDoG checkpoints (``guards.yaml``): pack, template, context, how to serve, memory."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from agentdog.guards.packs import shipped

#: Bytes per parameter of the forms that weights are served in.
FORMS: dict[str, float] = {"bf16": 2.0, "fp8": 1.0, "4-bit": 0.5}
_CONTEXT = 16384  # tokens, as in the authors' serve commands
_GIB = 2**30


class Template(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """What a chat template does to one user message.

    Attributes:
        format: whose special tokens it writes.
        thinks: whether it has the model write a chain of thought before its answer: never, only when an option of the
            template tells it to, or unless one tells it not to.
        default_system: it writes a system prompt of its own where none is given.
    """

    format: Literal["chatml", "llama3"]
    thinks: Literal["never", "when told", "unless told"]
    default_system: bool = False


class Base(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """A base model; see the file for units."""

    parameters: int
    source: Literal["counted", "nominal"]
    template: Template
    kv_bytes: int | None = None
    kv_source: Literal["counted", "reported"] = "counted"
    needs: str


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """One published model: its id on the hub, what it was made from, its pack, what is unsure about it."""

    id: str
    base: str
    pack: str
    revision: str | None = None
    unsure: str | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    bases: dict[str, Base]
    checkpoints: tuple[Checkpoint, ...]


class Served(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A checkpoint with everything that follows from the figures.

    Attributes:
        weights_gib: form → GiB of the weights alone.
        kv_bytes: of the key-value cache per token at bf16; ``None`` where not known.
        cache_gib: the same in GiB for one full context.
        serve: the command line for vLLM.
        needs: what its authors say that a server must be.
        revision: commit on the hub that third parties ran; ``--revision`` pins it.
        judges: it gives a verdict by itself.
    """

    id: str
    base: str
    pack: str
    judges: bool
    template: Template
    context: int
    weights_gib: dict[str, float]
    kv_bytes: int | None = None
    cache_gib: float | None
    serve: str
    needs: str
    revision: str | None = None
    unsure: tuple[str, ...]


@cache
def checkpoints() -> tuple[Served, ...]:
    """Returns every known checkpoint."""
    raw = resources.files("agentdog.guards").joinpath("guards.yaml").read_bytes()
    read = msgspec.yaml.decode(raw, type=_File)
    return tuple(_served(entry, read.bases[entry.base]) for entry in read.checkpoints)


def _served(entry: Checkpoint, base: Base) -> Served:
    pack = shipped()[entry.pack]
    context = pack.context or _CONTEXT
    unsure = [entry.unsure] if entry.unsure else []
    if base.source == "nominal":
        unsure.append("memory from the size in its name")
    if base.kv_bytes is None:
        unsure.append("cache per token not known")
    elif base.kv_source == "reported":
        unsure.append("cache per token as third parties report it")
    return Served(
        id=entry.id,
        base=entry.base,
        pack=entry.pack,
        judges=pack.family != "labels_only",
        template=base.template,
        context=context,
        weights_gib={form: round(base.parameters * size / _GIB, 1) for form, size in FORMS.items()},
        kv_bytes=base.kv_bytes,
        cache_gib=None if base.kv_bytes is None else round(base.kv_bytes * context / _GIB, 1),
        serve=f"vllm serve {entry.id} --max-model-len {context} --enable-prompt-tokens-details "
        "--scheduling-policy priority",
        needs=base.needs,
        revision=entry.revision,
        unsure=tuple(unsure),
    )
