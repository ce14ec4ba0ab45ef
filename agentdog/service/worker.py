"""The worker: changed units in, trajectories out; changed trajectories in, diagnoses out; what is to be told, out.

Invariants: weaving, judging, sending and explaining are lanes of their own, each with its own bound, so that neither a
guard nor a receiver that hangs keeps anybody from seeing what his agents do; what waits waits in the store, not here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from opentelemetry.trace import Span, Tracer

from agentdog.base.clock import Clock, SystemClock
from agentdog.base.threads import beside
from agentdog.base.together import together
from agentdog.service.consumer import Consumer
from agentdog.service.progress import Pulse
from agentdog.service.settings import Settings
from agentdog.service.tracing import SILENT
from agentdog.spans import Memory, ids, trajectory_id
from agentdog.spans.records import Record
from agentdog.store.contract import Store, Work
from agentdog.store.keys import Lane
from agentdog.trajectory import Trajectory

#: Brings the stored diagnosis of a trajectory up to date. A guard that fails is a verdict, not an exception.
Judge = Callable[[Work], Awaitable[None]]

#: Sends what waits in the lane ``send``. A receiver that fails is kept there, not an exception.
Send = Callable[[Work], Awaitable[None]]

_GRACE_S = 10.0
_SENDING = 8  # messages under way at a time in one worker; receivers are slow, and few
_EXPLAINING = 2  # analyses and attributions are made at leisure: a guard has better to do
_NANOS = 1_000_000_000
_FEW = 32  # records that are woven in a few milliseconds


class Worker:
    """Weaves up to `settings.worker.concurrency` units and has up to `settings.worker.judging` trajectories judged.

    Args:
        store: where work comes from and effects go.
        judge: the guard's part; given work of the lane ``judge``, whose unit is a trajectory's id.
        settings: concurrency, tries, lease and idle time.
        name: of this worker among all, stable while it runs.
        clock: decides what is idle.
        memory: of what was read and woven, best that of the store.
        tracer: of its own work.
        send: tells others; without it the lane ``send`` is left to other workers.
        explain: has analyses and attributions made; without it the lane ``explain`` is left to other workers.
        pulse: told whenever a lane advances.
    """

    def __init__(  # noqa: PLR0913 - one part per lane, by keyword only
        self,
        store: Store,
        judge: Judge,
        settings: Settings,
        *,
        name: str,
        clock: Clock | None = None,
        memory: Memory | None = None,
        tracer: Tracer = SILENT,
        send: Send | None = None,
        explain: Judge | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._store = store
        self._idle_ns = int(settings.idle_s * _NANOS)
        self._clock = clock or SystemClock()
        self._memory = memory or Memory()
        self._tracer = tracer
        limits = settings.worker
        parts: list[tuple[Lane, Judge, int]] = [
            ("weave", self.weave, limits.concurrency),
            ("judge", judge, limits.judging),
        ]
        if send is not None:
            parts.append(("send", send, _SENDING))
        if explain is not None:
            parts.append(("explain", explain, _EXPLAINING))
        self._consumers = [
            Consumer(store, lane, part, limits, concurrency=number, name=name, grace_s=_GRACE_S, pulse=pulse)
            for lane, part, number in parts
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; what does not end soon after is dropped, and taken over by others."""
        async with asyncio.TaskGroup() as group:
            for consumer in self._consumers:
                group.create_task(consumer.run(stop))

    async def weave(self, work: Work) -> None:
        """Brings what is stored of a unit's trajectories up to date; every effect may be repeated."""
        with self._tracer.start_as_current_span("weave", attributes={"agentdog.project": work.project}) as span:
            await self._weave(work, span)

    async def _weave(self, work: Work, span: Span) -> None:
        project, unit = work.project, work.unit
        records = await self._store.gather(project, unit)
        now_ns = self._clock.now_ns()
        # Pure and possibly long: beside the event loop, so that claims are kept alive meanwhile.
        trajectories = await beside(
            len(records) <= _FEW,
            self._memory.reconstruct,
            records,
            project=project,
            now_ns=now_ns,
            idle_ns=self._idle_ns,
        )
        mine = _concerned(trajectories, unit)
        span.set_attributes({"agentdog.records": len(records), "agentdog.trajectories": len(mine)})
        named = {trajectory.id: ids(trajectory) for trajectory in trajectories}
        absorbed = _absorbed(project, records, named.values())
        for trajectory in mine:
            aliases = sorted(named[trajectory.id] | absorbed)
            await self._store.save_trajectory(trajectory, aliases, records=len(records), arrived_ns=work.arrived_ns)
            absorbed = frozenset()
        # What is left can be said in one breath, to the store as well: each round trip costs the next run's time.
        units = sorted({record.unit for record in records})
        # After all that was written: deleted meanwhile, it must not come back.
        last: list[Awaitable[object]] = [self._store.leftovers(project, trajectory.id, units) for trajectory in mine]
        if any(trajectory.completion == "open" for trajectory in mine):
            last.append(self._store.revisit(project, unit, now_ns + self._idle_ns + 1))
        await together(*last, self._store.trim(project, unit))


def one_after_the_other(*parts: Judge) -> Judge:
    """Returns what does several parts of one lane's work: each looks for what of the unit is its own."""

    async def both(work: Work) -> None:
        for part in parts:
            await part(work)

    return both


def _concerned(trajectories: Sequence[Trajectory], unit: str) -> Sequence[Trajectory]:
    """Returns the trajectories that a unit tells of.

    What is gathered with a unit may hold runs that merely looked alike; they are their own units' work. A unit that
    tells of no step (a late root span, say) may still have changed any of them.
    """
    kind, _, name = unit.partition(":")
    prefix = f"{name}:" if kind == "trace" else f"log:{name}:"
    own = [t for t in trajectories if any(source.startswith(prefix) for s in t.steps for source in s.sources)]
    return own or trajectories


def _absorbed(project: str, records: Sequence[Record], named: Iterable[frozenset[str]]) -> frozenset[str]:
    """Returns ids of trajectories that units here once founded and that are no more: others took them in.

    A unit whose every step another unit tells better leaves no source behind, so `ids` cannot name it.
    """
    founded = {trajectory_id(project, unit) for unit in {record.unit for record in records}}
    return frozenset(founded.difference(*named))
