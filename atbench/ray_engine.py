"""Rows judged by workers of Ray Data, here or on the machines of a cluster; each builds its own guards and keeps them.

Invariant: as in one process, every case and repeat gives exactly one record, and each is handed over as soon as its
batch is judged, so that a run that is killed keeps what was done. ``RAY_ADDRESS`` names a cluster, whose machines need
this package; without it, workers are started here. Nothing is reported to Ray's makers.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agentdog.base.errors import OutsideError
from agentdog.guards import factory
from agentdog.trajectory.formats import Case
from atbench.record import Mode, Record
from atbench.runner import Asked, Judges
from atbench.runner import run as judge_all

_STORE = 512 * 2**20  # bytes of shared memory for rows in flight, where Ray is started here
_ON_ACCELERATOR = ("local:", "vllm:")


class Spread(NamedTuple):
    """Who is asked, by URI since guards do not travel; how many workers there are, and rows in flight in each."""

    mode: Mode
    guard: str
    labeller: str | None
    packs: Path | None
    workers: int
    concurrency: int


def run(asked: Sequence[Asked], spread: Spread, done: Callable[[Record], None]) -> list[Record]:
    """Judges every case.

    Args:
        asked: what to judge.
        spread: by whom.
        done: called here with each record, in order of arrival.

    Returns:
        The records in order of repeat and place in the file.

    Raises:
        OutsideError: when the package is missing, or the cluster cannot be reached.
    """
    if not asked:
        return []
    ray = _started(spread.workers)
    try:
        rows = [{"n": one.n, "repeat": one.repeat, "case": msgspec.json.encode(one.case)} for one in asked]
        judged = ray.data.from_items(rows, override_num_blocks=min(len(rows), 4 * spread.workers)).map_batches(
            _Worker,
            fn_constructor_args=(spread,),
            batch_size=max(1, min(spread.concurrency, len(rows) // spread.workers)),
            concurrency=spread.workers,
            num_cpus=1,
            num_gpus=int(spread.guard.startswith(_ON_ACCELERATOR) and ray.cluster_resources().get("GPU", 0) > 0),
        )
        records = []
        for row in judged.iter_rows():
            record = msgspec.json.decode(row["record"], type=Record)
            records.append(record)
            done(record)
    finally:
        ray.shutdown()
    return sorted(records, key=lambda record: (record.repeat, record.n))


class _Worker:
    """One worker: its guards live as long as it does, in one event loop."""

    def __init__(self, spread: Spread) -> None:
        self._concurrency = spread.concurrency
        self._runner = asyncio.Runner()
        labeller = factory.build(spread.labeller, spread.packs, diagnoses=True) if spread.labeller else None
        self._judges = Judges(spread.mode, factory.build(spread.guard, spread.packs), labeller)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        asked = [
            Asked(int(n), int(repeat), msgspec.json.decode(bytes(case), type=Case))
            for n, repeat, case in zip(batch["n"], batch["repeat"], batch["case"], strict=True)
        ]
        records = self._runner.run(judge_all(asked, self._judges, concurrency=self._concurrency))
        return {"record": [msgspec.json.encode(record) for record in records]}


def _started(workers: int) -> Any:  # noqa: ANN401 - the package itself
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise OutsideError(f"package ray is missing ({error}); pip install 'agentdog-sidecar[ray]'") from error
    here: dict[str, Any] = (
        {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers + 1, "object_store_memory": _STORE}
    )
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **here)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise OutsideError(f"Ray could not be started or reached: {error}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
