"""A guard whose model runs here: ``local:PATH?…`` by transformers, ``vllm:PATH?…`` by vLLM's engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agentdog.base.errors import GuardUnavailable
from agentdog.base.ids import digest
from agentdog.guards import packs
from agentdog.guards.agreement import known, noted
from agentdog.guards.chat_api import ChatFailure
from agentdog.guards.choosing import pack_for
from agentdog.guards.deciding import Rule
from agentdog.guards.engines.engine import EngineApi
from agentdog.guards.engines.folder import ModelFolder, read
from agentdog.guards.engines.local import LocalEngine, demand_packages
from agentdog.guards.engines.vllm_engine import VllmEngine, interpreter
from agentdog.guards.modelled import Answered, JudgeOptions, ModelGuard, Work, asked_beside, of_options, read_options
from agentdog.guards.packs import Pack
from agentdog.guards.protocol import GuardInfo, Health
from agentdog.guards.served import Served, describe
from agentdog.guards.verdict import Reason

_CONTEXT = 16384  # tokens, where neither the pack nor the model says less
_GIB = 2**30


class EngineOptions(JudgeOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand behind the ``?`` of either, beside `JudgeOptions`.

    Attributes:
        context: tokens, prompt and answer together; without it the pack's, or the model's if that is less.
        dtype: precision, as torch names it; ``auto`` as the weights are stored.
    """

    timeout: float = 300.0
    warm_up: float = 900.0
    context: int | None = None
    dtype: str = "auto"

    def __post_init__(self) -> None:
        """Holds the ranges; raises `GuardUnavailable` naming the option."""
        super().__post_init__()
        self.least(context=256, concurrency=1)


class LocalOptions(EngineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``local:``.

    Attributes:
        device: where it computes (``cpu``, ``cuda``, ``cuda:1``, ``mps``); without it a GPU where there is one.
        threads: of the CPU that it computes with.
        places: trajectories whose cache is kept at once.
    """

    device: str | None = None
    threads: int | None = None
    places: int = 4

    def __post_init__(self) -> None:
        """Holds the ranges; raises `GuardUnavailable` naming the option."""
        super().__post_init__()
        self.least(threads=1, places=1)


class VllmOptions(EngineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``vllm:``.

    Attributes:
        python: the interpreter that has vLLM, where this one has not.
        memory: share of the GPU's memory that it takes.
        cache: GiB of key-value cache, instead of what is left of that share; on a CPU a quarter of what is free.
        parallel: GPUs that the model is spread over.
        quantization: as vLLM names it, such as ``fp8``.
        eager: starts sooner and runs slower.
    """

    timeout: float = 600.0
    concurrency: int = 64
    python: str | None = None
    memory: float | None = None
    cache: float | None = None
    parallel: int = 1
    quantization: str | None = None
    eager: bool = False

    def __post_init__(self) -> None:
        """Holds the ranges; raises `GuardUnavailable` naming the option."""
        super().__post_init__()
        self.least(parallel=1)
        if self.memory is not None and not 0 < self.memory <= 1:
            raise GuardUnavailable(f"guard option memory is {self.memory}; give a share above 0 and up to 1")
        if self.cache is not None and not self.cache > 0:
            raise GuardUnavailable(f"guard option cache is {self.cache}; give GiB above 0")

    def arguments(self, context: int) -> dict[str, Any]:
        """Returns vLLM's engine arguments."""
        given = {
            "dtype": self.dtype,
            "max_model_len": context,
            "gpu_memory_utilization": self.memory,
            "kv_cache_memory_bytes": None if self.cache is None else int(self.cache * _GIB),
            "tensor_parallel_size": self.parallel,
            "quantization": self.quantization,
            "enforce_eager": self.eager,
            "max_num_seqs": self.concurrency,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
        }
        return {name: value for name, value in given.items() if value is not None}


class EngineGuard(ModelGuard):
    """Judges by a model that runs here."""

    def __init__(
        self,
        scheme: str,
        folder: ModelFolder,
        pack: Pack,
        options: EngineOptions,
        engine: LocalEngine | VllmEngine,
        agreement: str | None = None,
    ) -> None:
        self.options = options
        self.engine = engine
        self.api = EngineApi(engine)
        self._folder = folder
        self._slots = asyncio.Semaphore(options.concurrency)
        self._served: Served | None = None
        self._asking: asyncio.Task[Served] | None = None
        rule = repr(Rule(options.threshold, options.margin))
        told = (pack.fingerprint, folder.fingerprint, options.dtype, rule, *asked_beside(options))
        info = GuardInfo(
            name=folder.name,
            uri=f"{scheme}:{folder.path}?pack={pack.name}{of_options(options)}",
            fingerprint=digest(scheme, *told, size=8),
            pack=pack.name,
            labels_only=pack.family == "labels_only",
            wording=pack.wording,
            layout=pack.render.described,
            note=noted(pack, agreement),
        )
        super().__init__(pack, options, info, agreement)

    async def served(self) -> Served:
        """Starts the model and finds out what it can do, once; raises `ChatFailure`. A failure is not kept."""
        if self._served is None:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(describe(self.api, self._folder.name, self.pack))
                self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
            try:
                # Shielded: one caller that gives up must not take the model from the others.
                self._served = await asyncio.wait_for(asyncio.shield(self._asking), self.options.warm_up)
            except TimeoutError as error:
                why = f"the model is still starting after {self.options.warm_up:g} s"
                raise ChatFailure(Reason.TIMED_OUT, why) from error
        return self._served

    async def _run(self, key: str, work: Work[Answered]) -> Answered:
        served = await self.served()
        try:
            async with asyncio.timeout(self.options.timeout), self._slots:
                return await work(self.api, served)
        except TimeoutError as error:
            raise ChatFailure(Reason.TIMED_OUT, f"no answer within {self.options.timeout:g} s") from error

    async def health(self) -> Health:
        """Tells what would answer; loads nothing, since the process that asks may not be the one that judges."""
        fitting = packs.choose(self._folder.name)
        if fitting.name not in (self.pack.name, packs.GENERIC) and self.options.pack is None:
            mend = f"add pack={fitting.name} to the guard's URI"
            return Health(ok=False, detail=f"{self._folder.name} has its own pack, {fitting.name}", mend=mend)
        detail = f"{self._folder.name} with pack {self.pack.name} ({self.pack.wording} wording), "
        return Health(ok=True, detail=f"{detail}{self._folder.size / _GIB:.1f} GiB of weights, {self.engine.state}")

    async def close(self) -> None:
        """Frees the model."""
        if self._asking is not None and not self._asking.done():
            self._asking.cancel()
        self._served = None
        await self.api.close()


def from_uri(uri: str, *, packs_folder: Path | None = None, diagnoses: bool = False) -> EngineGuard:
    """Builds the guard of ``local:PATH?…`` or ``vllm:PATH?…``; nothing is loaded yet.

    Raises:
        GuardUnavailable: naming the folder, the package or the option that is missing or wrong, and the remedy.
    """
    scheme, _, rest = uri.partition(":")
    place, _, query = rest.partition("?")
    if scheme == "local":
        local = read_options(query, LocalOptions)
        folder, pack, context = _found(place, local, packs_folder, diagnoses)
        demand_packages()
        how = {"dtype": local.dtype, "device": local.device, "threads": local.threads, "places": local.places}
        engine = LocalEngine(folder, context, **how)
        return EngineGuard(scheme, folder, pack, local, engine, known(pack, folder.name, packs_folder))
    options = read_options(query, VllmOptions)
    folder, pack, context = _found(place, options, packs_folder, diagnoses)
    python = interpreter(options.python)
    vllm = VllmEngine(folder, python, options.arguments(context))
    return EngineGuard(scheme, folder, pack, options, vllm, known(pack, folder.name, packs_folder))


def _found(
    place: str, options: EngineOptions, packs_folder: Path | None, diagnoses: bool
) -> tuple[ModelFolder, Pack, int]:
    folder = read(place, options.model)
    pack = pack_for(options, folder.name, packs_folder, labels_only=diagnoses)
    limits = (options.context or pack.context or _CONTEXT, folder.positions)
    return folder, pack, min(n for n in limits if n is not None)
