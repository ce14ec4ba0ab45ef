"""The worker's part with receivers: alerts and verdicts that wait in the outbox are sent.

Invariants: what is sent is kept as a delivery before its first try, with body and key, and after every try; it waits in
the store until the receiver has it, it is given up, or there is nothing to tell any more. A worker that dies between a
receiver's answer and its note sends once more, with the same key: at least once, and a receiver can tell. Of a run that
was deleted nothing is sent, and nothing stays here.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from agentdog import __version__
from agentdog.base.clock import Clock, SystemClock, rfc3339
from agentdog.outbound import Answer, Delivery, Evaluation, Notifier, alert_of, evaluations, next_try_s, verdicts_unit
from agentdog.outbound.delivery import ALERT, VERDICTS, id_of, key_of
from agentdog.service.figures import Figures
from agentdog.service.purse import MINUTE_NS
from agentdog.service.settings import Settings
from agentdog.service.targets import Targets, link_base
from agentdog.spans import units_of
from agentdog.spans.records import Record
from agentdog.store.contract import Store, Stored, Work

_log = logging.getLogger(__name__)

_NANOS = 1_000_000_000
_AT_ONCE = 200  # verdicts in one request


class Sending:
    """Works on the lane ``send``.

    Args:
        store: of deliveries, trajectories and diagnoses.
        targets: who is told.
        settings: how often it is tried, and what messages hold.
        figures: where it is counted.
        clock: of tries.
    """

    def __init__(
        self,
        store: Store,
        targets: Targets,
        settings: Settings,
        *,
        figures: Figures | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._targets = targets
        self._settings = settings
        self._figures = figures or Figures(store)
        self._clock = clock or SystemClock()
        self._noted: set[str] = set()

    async def __call__(self, work: Work) -> None:
        """Sends what one unit stands for, or says when it is to be tried again."""
        kind, _, rest = work.unit.partition(" ")
        incident, _, run = rest.partition(" ") if kind == ALERT else ("", "", rest)
        if kind == ALERT and self._targets.notifiers:
            due = await self._alert(work.project, run, incident)
        elif kind == VERDICTS and self._targets.otlp is not None:
            due = await self._verdicts(work.project, run)
        else:  # the place it was meant for is configured no more
            return
        if due is not None:
            await self._store.revisit(work.project, work.unit, due, lane="send")
        await self._store.leftovers(work.project, run)  # last of all: deleted meanwhile, nothing of it may stay

    async def _alert(self, project: str, run: str, incident: str) -> int | None:
        told = f"incident {incident}"
        dues = await asyncio.gather(
            *(self._deliver(each, project, run, incident, told) for each in self._targets.notifiers)
        )
        return min((due for due in dues if due is not None), default=None)

    async def _deliver(self, notifier: Notifier, project: str, run: str, incident: str, told: str) -> int | None:
        """Tries one place once, if it is time; returns when to look again."""
        delivery = await self._store.delivery(project, run, id_of(project, told, notifier.name))
        if delivery is None:
            delivery = await self._first(notifier, project, run, incident, told)
            await self._store.save_delivery(delivery)
        now = self._clock.now_ns()
        if delivery.state != "pending":
            return None
        if delivery.due_ns > now:
            return delivery.due_ns
        minute = now // MINUTE_NS
        if not await self._store.may_send(notifier.name, minute, self._settings.outbound.per_minute):
            self._figures.count("deliveries", notifier.name, "held_back")
            return (minute + 1) * MINUTE_NS
        return await self._tried(delivery, await notifier.send(delivery.body, delivery.key))

    async def _first(self, notifier: Notifier, project: str, run: str, incident: str, told: str) -> Delivery:
        """Makes the message, once; what people dismissed in the meantime is withdrawn."""
        stored = await self._store.get(run, project)
        diagnosis = stored.diagnosis if stored else None
        found = next((i for i in diagnosis.incidents if i.id == incident), None) if diagnosis else None
        now = rfc3339(self._clock.now_ns())
        delivery = Delivery(
            id=id_of(project, told, notifier.name),
            key=key_of(project, told),
            target=notifier.name,
            project=project,
            trajectory_id=run,
            incident_id=incident,
            created=now,
            updated=now,
        )
        if stored is None or diagnosis is None or found is None or found.state == "dismissed":
            why = "dismissed before it was sent" if found is not None else "the incident is no more"
            return msgspec.structs.replace(delivery, state="withdrawn", error=why)
        alert = alert_of(
            stored.trajectory,
            found,
            diagnosis.guard,
            base=link_base(self._settings),
            time=diagnosis.judged_at or now,
            content=self._settings.outbound.content,
        )
        return msgspec.structs.replace(delivery, body=notifier.body(alert))

    async def _tried(self, delivery: Delivery, answer: Answer) -> int | None:
        """Keeps what became of a try; returns when the next one is due."""
        now, attempts = self._clock.now_ns(), delivery.attempts + 1
        after = msgspec.structs.replace(
            delivery, attempts=attempts, updated=rfc3339(now), error=answer.error or answer.note, due_ns=0
        )
        if answer.ok:
            after = msgspec.structs.replace(after, state="delivered")
        elif answer.final or attempts >= self._settings.outbound.attempts:
            after = msgspec.structs.replace(after, state="given_up")
            _log.error("%s %s given up after %d tries: %s", after.target, after.id, attempts, answer.error)
        else:
            first_s = self._settings.outbound.retry_s
            wait_s = next_try_s(attempts, after.id, first_s=first_s, asked_s=answer.retry_after_s)
            after = msgspec.structs.replace(after, due_ns=now + int(wait_s * _NANOS))
            _log.warning("%s %s: %s; again in %.0f s", after.target, after.id, answer.error, wait_s)
        await self._store.save_delivery(after)
        self._figures.count("deliveries", after.target, "failed" if after.state == "pending" else after.state)
        return after.due_ns or None

    async def _verdicts(self, project: str, run: str) -> int | None:
        """Sends those verdicts of a run that were not sent so far."""
        otlp = self._targets.otlp
        stored = await self._store.get(run, project)
        if otlp is None or stored is None or stored.diagnosis is None:
            return None
        told = verdicts_unit(run)
        name = id_of(project, told, otlp.name)
        before = await self._store.delivery(project, run, name)
        waiting = before if before is not None and before.state == "pending" else None
        if waiting is not None and waiting.due_ns > self._clock.now_ns():
            return waiting.due_ns
        known = await self._store.told(project, run)
        fresh = [each for each in await self._evaluations(stored) if known.get(each.step_id) != each.mark]
        answer = Answer(ok=True)
        for place in range(0, len(fresh), _AT_ONCE):
            part = fresh[place : place + _AT_ONCE]
            answer = await otlp.send(part)
            if not answer.ok:
                break
            await self._store.save_told(project, run, {each.step_id: each.mark for each in part})
            self._figures.count("evaluations_sent", project, by=len(part))
            self._note(answer.note)
        if answer.ok and waiting is None:
            return None  # what goes well is no news unless it went wrong before
        now = rfc3339(self._clock.now_ns())
        first = Delivery(
            id=name,
            key=key_of(project, told),
            target=otlp.name,
            project=project,
            trajectory_id=run,
            created=now,
            updated=now,
        )
        return await self._tried(waiting or first, answer)

    async def _evaluations(self, stored: Stored) -> tuple[Evaluation, ...]:
        diagnosis, trajectory = stored.diagnosis, stored.trajectory
        judged = {each.step_id for each in diagnosis.steps} if diagnosis else set()
        wanted = {source for step in trajectory.steps if step.id in judged for source in step.sources}
        if diagnosis is None or not wanted:
            return ()
        found: dict[str, Record] = {}
        for unit in units_of(trajectory):
            if not wanted <= found.keys():
                found |= {r.id: r for r in await self._store.gather(trajectory.project, unit) if r.id in wanted}
        return evaluations(
            trajectory,
            diagnosis,
            found,
            base=link_base(self._settings),
            which=self._settings.outbound.otlp.verdicts,
            version=__version__,
        )

    def _note(self, note: str | None) -> None:
        """Says once what a receiver leaves out of what it takes."""
        if note is not None and note not in self._noted:
            self._noted.add(note)
            _log.info("otlp: %s", note)
