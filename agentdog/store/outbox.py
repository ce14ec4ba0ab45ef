"""The outbox: what is to be sent waits in the lane ``send``; what became of it is kept beside its trajectory.

Invariants: an alert waits here before it counts as raised, so a crash in between queues it twice and loses none; its
delivery is looked up by id, so that twice queued is once sent. Deliveries are kept as long as a month after the last
try, and lie in the trajectory's partition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from agentdog.base.clock import parse_rfc3339
from agentdog.outbound import Delivery, State, alert_unit, verdicts_unit
from agentdog.store import keys, scripts
from agentdog.store.link import Command, Link

_KEPT_S = 30 * 86_400
_LISTED = 1000  # of a project, the newest
_RATE_S = 120
_OPEN: tuple[State, ...] = ("pending", "given_up")
#: With an incident's id the field of a trajectory's hash that says since when it counts as raised.
ALERTED = "alerted:"


class Outbox:
    """Queues what is to be sent, keeps what became of it."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def enqueue(self, project: str, units: Sequence[str]) -> None:
        """Has units sent by whoever works on the lane, unless they wait already."""
        commands: list[Command] = []
        for unit in units:
            number = keys.partition(project, unit)
            names = [keys.dirty(number, "send"), keys.work(number, "send")]
            commands.append(scripts.ENQUEUE.call(names, project, unit))
        await self._link.many(commands)

    async def save(self, delivery: Delivery) -> None:
        """Keeps what became of a message so far."""
        project, run = delivery.project, delivery.trajectory_id
        name, member = keys.deliveries(project, run), msgspec.json.encode((run, delivery.id))
        score = parse_rfc3339(delivery.updated) // 1000
        listed, waiting = keys.sent(project), keys.unsent(project)
        still_open = delivery.state in _OPEN
        await self._link.many(
            [
                ("HSET", name, delivery.id, msgspec.json.encode(delivery)),
                ("EXPIRE", name, _KEPT_S),
                ("ZADD", listed, score, member),
                ("ZREMRANGEBYRANK", listed, 0, -_LISTED - 1),
                ("ZADD", waiting, score, member) if still_open else ("ZREM", waiting, member),
            ]
        )

    async def one(self, project: str, trajectory_id: str, delivery_id: str) -> Delivery | None:
        """Returns one delivery."""
        raw = await self._link.one("HGET", keys.deliveries(project, trajectory_id), delivery_id)
        return msgspec.json.decode(raw, type=Delivery) if raw else None

    async def newest(self, projects: Sequence[str], limit: int, *, unsent: bool = False) -> Sequence[Delivery]:
        """Returns the deliveries last tried, of some projects; with `unsent` those that wait or were given up."""
        found: list[Delivery] = []
        for project in projects:
            index = keys.unsent(project) if unsent else keys.sent(project)
            members = await self._link.one("ZREVRANGE", index, 0, limit - 1)
            places = [msgspec.json.decode(member, type=tuple[str, str]) for member in members]
            raws = await self._link.many([("HGET", keys.deliveries(project, run), name) for run, name in places])
            found += [msgspec.json.decode(raw, type=Delivery) for raw in raws if raw]
            gone = [member for member, raw in zip(members, raws, strict=True) if not raw]
            if gone:  # forgotten with their run, or after a month
                await self._link.one("ZREM", index, *gone)
        return sorted(found, key=lambda each: each.updated, reverse=True)[:limit]

    async def unsent(self, projects: Sequence[str]) -> int:
        """Counts what waits or was given up."""
        return sum(await self._link.many([("ZCARD", keys.unsent(project)) for project in projects]))

    async def forget(self, project: str, runs: Collection[str]) -> None:
        """Takes what waits to be sent about some runs out of the lane, and their deliveries out of the lists.

        Asks the trajectories and deliveries what that is, so these are deleted afterwards.
        """
        await self._withdraw(project, await self._units(project, runs))
        for name in (keys.sent(project), keys.unsent(project)):
            members = await self._link.one("ZRANGE", name, 0, -1)
            gone = [m for m in members if msgspec.json.decode(m, type=tuple[str, str])[0] in runs]
            if gone:
                await self._link.one("ZREM", name, *gone)

    async def _units(self, project: str, runs: Collection[str]) -> list[str]:
        """Returns the units of the lane that tell of these runs."""
        units = [verdicts_unit(run) for run in runs]
        for run in runs:
            asked: list[Command] = [
                ("HKEYS", keys.trajectory(project, run)),
                ("HVALS", keys.deliveries(project, run)),
            ]
            fields, deliveries = await self._link.many(asked)
            raised = {field.decode().removeprefix(ALERTED) for field in fields if field.startswith(ALERTED.encode())}
            tried = {msgspec.json.decode(each, type=Delivery).incident_id for each in deliveries}
            units += [alert_unit(incident, run) for incident in sorted(raised | tried - {None}, key=str) if incident]
        return units

    async def _withdraw(self, project: str, units: Sequence[str]) -> None:
        """Takes units off the lane: what waits, waits for its time, or was given up."""
        numbers = {unit: keys.partition(project, unit) for unit in units}
        gone: list[Command] = [("ZREM", keys.due("send"), msgspec.json.encode((project, unit))) for unit in units]
        gone += [("SREM", keys.dirty(number, "send"), f"{project}\n{unit}") for unit, number in numbers.items()]
        streams = [of(number, "send") for number in set(numbers.values()) for of in (keys.work, keys.dead)]
        answers = await self._link.many([("XRANGE", stream, "-", "+") for stream in streams])
        for stream, entries in zip(streams, answers, strict=True):
            for entry, flat in entries:
                values = dict(zip(flat[::2], flat[1::2], strict=True))
                if values[b"project"].decode() == project and values[b"unit"].decode() in numbers:
                    gone.append(("XDEL", stream, entry))
        await self._link.many(gone)

    async def told(self, project: str, trajectory_id: str) -> Mapping[str, str]:
        """Returns which verdicts of a run were sent: step id → mark."""
        flat = await self._link.one("HGETALL", keys.told(project, trajectory_id))
        return {step.decode(): mark.decode() for step, mark in zip(flat[::2], flat[1::2], strict=True)}

    async def save_told(self, project: str, trajectory_id: str, marks: Mapping[str, str]) -> None:
        """Notes which were sent."""
        name = keys.told(project, trajectory_id)
        flat = [part for pair in marks.items() for part in pair]
        if flat:
            await self._link.many([("HSET", name, *flat), ("EXPIRE", name, _KEPT_S)])

    async def may_send(self, target: str, minute: int, limit: int) -> bool:
        """Counts a message to a place in a minute since the epoch; False when that minute has had enough."""
        name = keys.send_rate(target, minute)
        count, _ = await self._link.many([("INCR", name), ("EXPIRE", name, _RATE_S)])
        return int(count) <= limit
